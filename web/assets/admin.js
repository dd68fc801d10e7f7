// The part of /relay for administrators: one request, signed by the person's own key (NIP-07), answered with a part of a
// page (NIP-98). Nothing is kept.
"use strict";

(() => {
  const box = document.getElementById("admin"), button = document.getElementById("admin-sign");
  if (!button || !box.dataset.url) return;
  const told = document.getElementById("admin-told"), shown = document.getElementById("admin-shown");
  const say = (text) => { told.textContent = text; };
  window.dvm.signer().then((nostr) => {
    if (!nostr) return say("No signer (NIP-07) was found in this browser.");
    button.hidden = false;
    say("");
  });
  const ask = async () => {
    const event = await window.nostr.signEvent({
      kind: 27235, created_at: Math.floor(Date.now() / 1000), tags: [["u", box.dataset.url], ["method", "GET"]], content: "",
    });
    const bytes = new TextEncoder().encode(JSON.stringify(event));
    const token = btoa(String.fromCharCode(...bytes));
    return fetch("relay/admin", { headers: { Authorization: "Nostr " + token, Accept: "text/html" }, cache: "no-store" });
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("Waiting for the signer…");
    let answer = null;
    try {
      answer = await ask();
    } catch {
      say("The signer said no, or the relay could not be reached.");
    }
    try {
      if (answer?.ok) {
        window.dvm.show(shown, await answer.text());
        button.textContent = "Sign again, to refresh";
        say("");
      } else if (answer) {
        const problem = await answer.json();
        say("Refused: " + problem.detail + ".");
      }
    } catch {
      say("The answer could not be read.");
    }
    button.disabled = false;
  });
})();
