// What every page has: times that go on, live fragments that can be paused, the person's own key (NIP-07). A page is
// whole without any of it.
"use strict";

(() => {
  const tell = (() => {
    let last = 0, waiting = "", timer = 0;
    const say = () => { last = Date.now(); timer = 0; document.getElementById("told").textContent = waiting; };
    // A screen reader is told at most once in five seconds.
    return (text) => {
      waiting = text;
      if (!timer) timer = setTimeout(say, Math.max(0, last + 5000 - Date.now()));
    };
  })();

  // ---- times ----
  const ago = (at) => {
    const s = Math.floor(Date.now() / 1000) - at;
    if (s < 0) return "just now";
    if (s < 60) return `${s} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ago`;
    return `${Math.floor(s / 86400)} days ago`;
  };
  const clock = () => {
    if (document.hidden) return;
    for (const t of document.querySelectorAll("time[data-at]")) {
      const text = ago(Number(t.dataset.at));
      if (t.textContent !== text) t.textContent = text;
    }
  };
  setInterval(clock, 1000);

  // ---- live fragments ----
  let paused = false;
  const held = new Map(); // element -> its newest content while paused
  const show = (elt, html) => {
    const open = [...elt.querySelectorAll("details[open][id]")].map((d) => d.id);
    htmx.swap(elt, html, { swapStyle: "innerHTML" });
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  };
  document.addEventListener("htmx:sseBeforeMessage", (e) => {
    e.preventDefault(); // shown here, so that what is open stays open
    if (paused) held.set(e.target, e.detail.data);
    else show(e.target, e.detail.data);
    document.dispatchEvent(new CustomEvent("dvm:live", { detail: { fragment: e.target.id, paused } }));
  });
  document.addEventListener("htmx:afterSwap", clock);
  // A browser opens six connections to one host, for all its pages together, and keeps the pages that were left. So a page
  // has one stream, and none while nobody sees it.
  let stream = null;
  htmx.createEventSource = (url) => {
    const at = new URL(url, location.href);
    if (stream) at.searchParams.delete("of"); // it no longer shows what it came with: it needs everything
    stream?.close();
    return stream = new EventSource(at);
  };
  const away = () => stream?.close();
  const back = () => {
    if (stream?.readyState !== EventSource.CLOSED) return;
    for (const elt of document.querySelectorAll("[sse-connect], [sse-swap]")) htmx.trigger(elt, "htmx:afterProcessNode");
  };
  document.addEventListener("DOMContentLoaded", () => { if (document.hidden) away(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) away(); else { clock(); back(); } });
  window.addEventListener("pagehide", away);
  window.addEventListener("pageshow", (e) => { if (e.persisted && document.querySelector("[sse-connect]")) location.reload(); });
  for (const b of document.querySelectorAll("[data-pause]")) {
    if (!document.querySelector("[sse-connect]")) continue;
    b.hidden = false;
  }
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-pause]");
    if (!b) return;
    paused = !paused;
    for (const one of document.querySelectorAll("[data-pause]")) {
      one.setAttribute("aria-pressed", String(paused));
      one.textContent = paused ? "Resume" : "Pause";
    }
    document.documentElement.classList.toggle("paused", paused);
    if (!paused) {
      for (const [elt, html] of held) show(elt, html);
      held.clear();
    }
    tell(paused ? "Paused." : "Live again.");
  });

  // ---- colours ----
  document.addEventListener("click", (e) => {
    const b = e.target.closest(".theme button");
    if (!b) return;
    e.preventDefault();
    const to = b.value, root = document.documentElement;
    const secure = location.protocol === "https:" ? ";secure" : "";
    if (to === "system") {
      delete root.dataset.theme;
      document.cookie = "theme=;path=/;max-age=0;samesite=lax" + secure;
    } else {
      root.dataset.theme = to;
      document.cookie = `theme=${to};path=/;max-age=31536000;samesite=lax` + secure;
    }
    document.querySelector('meta[name="color-scheme"]').content = to === "system" ? "light dark" : to;
    for (const one of b.parentElement.children) one.toggleAttribute("aria-pressed", false);
    b.setAttribute("aria-pressed", "true");
    document.dispatchEvent(new CustomEvent("dvm:theme"));
  });

  // ---- copy ----
  document.addEventListener("click", async (e) => {
    const b = e.target.closest("[data-copy]");
    if (!b) return;
    const from = b.dataset.copyFrom ? document.getElementById(b.dataset.copyFrom)?.textContent : b.dataset.copy;
    try {
      await navigator.clipboard.writeText(from ?? "");
      tell("Copied.");
      b.classList.add("done");
      setTimeout(() => b.classList.remove("done"), 1500);
    } catch {
      tell("The browser does not allow copying; select the text instead.");
    }
  });
  for (const b of document.querySelectorAll("[data-copy]")) b.hidden = !navigator.clipboard;

  // ---- forms that need no button ----
  document.addEventListener("change", (e) => {
    const form = e.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });

  // ---- the person's own key: NIP-07 ----
  const signer = () => new Promise((done) => {
    let tries = 0;
    const look = () => {
      if (window.nostr || tries++ > 20) done(window.nostr ?? null);
      else setTimeout(look, 100); // extensions come a moment after the page
    };
    look();
  });
  window.dvm = { tell, signer, show };
  signer().then((nostr) => {
    if (nostr) for (const b of document.querySelectorAll("[data-signin]")) b.hidden = false;
  });
  document.addEventListener("click", async (e) => {
    const b = e.target.closest("[data-signin]");
    if (!b || !window.nostr) return;
    try {
      const key = await window.nostr.getPublicKey();
      if (/^[0-9a-f]{64}$/.test(key)) location.assign("/u/" + key);
    } catch {
      tell("The signer said no.");
    }
  });
})();
