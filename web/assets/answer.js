// A person answers a job: builds feedback (7000) or a result (6xxx), shows it, signs it with the visitor's own signer
// (NIP-07) and publishes it over the real websocket.
"use strict";

(() => {
  const form = document.querySelector("[data-answer]");
  if (!form) return;
  const d = form.dataset, sealed = "encrypted" in d;
  const [said, draft, sign] = ["said", "draft", "sign"].map((n) => form.querySelector(`[data-answer-${n}]`));
  const mine = document.querySelector("[data-answer-mine]");
  const { socket, signer, npub, make } = window.dvm;
  const field = (name) => form.elements[name].value.trim();
  let request = null; // as this relay has it

  // build makes the unsigned event, or says what is missing. NIP-90 "Job feedback", "Job result".
  const build = () => {
    const status = field("status"), isResult = status === "result";
    const customer = request?.pubkey ?? d.customer;
    const sats = field("sats"), invoice = field("invoice").replace(/^lightning:/i, "").toLowerCase();
    const content = form.elements.content.value;
    if (!/^[0-9a-f]{64}$/.test(customer)) throw "Nobody knows here who asked, so the answer cannot name them.";
    if (sats && !/^[0-9]{1,12}$/.test(sats)) throw "The amount is a whole number of sats.";
    if (status === "payment-required" && !Number(sats)) throw "Asking for payment takes an amount.";
    if (invoice && !Number(sats)) throw "An invoice takes its amount beside it.";
    if (invoice && !/^ln(bc|tb|bcrt|tbs)[0-9a-z]{20,}$/.test(invoice)) throw "This is no invoice (bolt11).";
    if (isResult && !request) throw "The body of the request is not shown here, and a result repeats it word for word. Feedback can be sent.";
    if (isResult && !content.trim()) throw "A result has content.";
    if (status === "partial" && !content.trim()) throw "A part of the result goes into the content.";
    const e = ["e", d.id], p = ["p", customer];
    if (d.relay) e.push(d.relay);
    const tags = isResult ? [["request", JSON.stringify(request)], e, p] : [["status", status], e, p];
    if (!isResult && field("text")) tags[0].push(field("text"));
    if (sealed && (isResult || content)) tags.push(["encrypted"]);
    if (isResult && !sealed) tags.push(...request.tags.filter((t) => t[0] === "i" && t.length > 1));
    if (Number(sats)) tags.push(invoice ? ["amount", `${Number(sats)}000`, invoice] : ["amount", `${Number(sats)}000`]);
    const now = Math.floor(Date.now() / 1000);
    if (Number(field("lasts"))) tags.push(["expiration", String(now + Number(field("lasts")))]);
    return { kind: isResult ? Number(d.resultKind) : 7000, created_at: now, tags, content: isResult || status === "partial" ? content : "" };
  };
  const show = () => {
    const status = field("status");
    form.elements.content.disabled = status !== "result" && status !== "partial";
    form.elements.text.disabled = status === "result";
    try {
      const evt = build();
      const tags = evt.tags.map((t) => "  " + JSON.stringify(t)).join(",\n");
      draft.textContent = `{"kind": ${evt.kind}, "created_at": ${evt.created_at},\n "tags": [\n${tags}\n ],\n "content": ${JSON.stringify(evt.content)}}` + (sealed && evt.content ? "\n(the content is encrypted to the customer before it is signed)" : "");
      sign.disabled = false;
    } catch (why) {
      draft.textContent = typeof why === "string" ? why : "This cannot be built.";
      sign.disabled = true;
    }
  };
  form.addEventListener("input", show);

  // seal encrypts to the customer in the way in which the request is encrypted. NIP-04, NIP-44.
  const seal = async (nostr, key, evt) => {
    if (!request) throw "The request is not shown here, so nothing says how to encrypt.";
    if (!request.tags.some((t) => t[0] === "p" && t[1] === key)) throw "This job is encrypted for others: your key cannot read it.";
    const way = request.content.includes("?iv=") ? "nip04" : "nip44";
    if (!nostr[way]?.encrypt) throw `Your signer cannot encrypt as this job does (${way}), and in the open it is not sent from here.`;
    return { ...evt, content: await nostr[way].encrypt(request.pubkey, evt.content) };
  };
  const publish = (evt) => new Promise((done) => {
    const s = socket({
      open: async () => {
        let told = await s.publish(evt);
        if (!told[0] && told[1].startsWith("auth-required")) {
          said.textContent = "The relay asks you to sign in (NIP-42): your signer will ask you.";
          const [ok, words] = await s.auth(d.relay);
          told = ok ? await s.publish(evt) : [false, `not signed in: ${words}`];
        }
        s.close();
        done(told);
      },
      end: (why) => done([false, why]),
    });
  });
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (sign.disabled) return;
    sign.disabled = true;
    try {
      let evt = build();
      said.textContent = "Your signer asks you now.";
      const nostr = await signer();
      if (!nostr) throw "There is no signer (NIP-07) any more.";
      if (sealed && evt.content) evt = await seal(nostr, await nostr.getPublicKey(), evt);
      const signed = await nostr.signEvent(evt);
      if (!signed?.id || !signed.sig) throw "The signer gave nothing that is signed.";
      mine.href = "/jobs?for=" + npub(signed.pubkey);
      mine.textContent = "Jobs that your key could answer";
      said.textContent = "Publishing.";
      const [ok, words] = await publish(signed);
      const link = make("a", "the event", { href: "/events/" + signed.id });
      said.replaceChildren(make("strong", ok ? "✓ Published." : "✕ Not taken."), ` OK ${ok}${words ? `: ${words.slice(0, 300)}` : ""} `, ...(ok ? [link] : []));
    } catch (why) {
      said.textContent = typeof why === "string" ? why : "The signer said no.";
    }
    sign.disabled = false;
  });

  signer().then(async (nostr) => {
    if (!nostr) return;
    try {
      const got = await (await fetch(`/events/${d.id}.json`)).json();
      if (got.event?.id === d.id && Array.isArray(got.event.tags)) request = got.event;
    } catch { /* then there is feedback without the request */ }
    form.hidden = false;
    show();
  });
})();
