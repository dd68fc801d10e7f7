// Runs the filter of the page on this relay, over the real websocket.
"use strict";

(() => {
  const form = document.querySelector("[data-explore]");
  const run = form.querySelector("[data-run]");
  const box = document.querySelector("[data-answer-of]");
  const memory = "dvm:run"; // set while a changed form is on its way to be run
  run.hidden = false;
  let changed = false;
  form.addEventListener("input", () => { changed = true; run.disabled = false; });
  // What is not asked for does not stand in the address.
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
    setTimeout(() => { for (const field of form.elements) field.disabled = false; });
  });
  run.addEventListener("click", () => {
    if (!changed && box) return start();
    sessionStorage.setItem(memory, "1");
    form.requestSubmit();
  });
  window.addEventListener("pageshow", (e) => { if (e.persisted) changed = true; });
  if (!box) {
    sessionStorage.removeItem(memory);
    return;
  }

  const { make, socket, npub } = window.dvm;
  const [said, list, hold, stop, sign] = ["said", "events", "hold", "stop", "auth"].map((n) => box.querySelector(`[data-${n}]`));
  const most = 200; // events that are shown
  let open = null, begun = 0, stored = 0, live = 0, ended = false, state = "", held = [], paused = false, timer = 0;
  const how = said.querySelector("[data-how]");
  if (how) how.hidden = false;
  else said.textContent = "Press Run: the answers come over a websocket to this relay.";

  // A busy subscription is told of at most four times a second.
  const tell = (now) => {
    const say = () => {
      timer = 0;
      const parts = [`${stored} stored`];
      if (ended) parts.push(`${live} live`);
      if (stored + live > most) parts.push(`${most} shown`);
      if (held.length) parts.push(`${held.length} held`);
      said.textContent = state + (stored + live || ended ? `: ${parts.join(", ")}.` : ".");
    };
    if (now) { clearTimeout(timer); say(); } else if (!timer) timer = setTimeout(say, 250);
  };

  const short = (text, n) => {
    const all = [...String(text).slice(0, 4 * n)];
    return all.length > n ? all.slice(0, n).join("") + "…" : all.join("");
  };
  const item = (evt, raw) => {
    const li = make("li");
    const head = make("p", "", { className: "line" });
    const key = String(evt.pubkey), id = String(evt.id), at = Number(evt.created_at) || 0;
    const time = make("time");
    if (at > 0 && at < 8e12) {
      time.dateTime = time.title = new Date(at * 1000).toISOString();
      time.dataset.at = at;
      time.textContent = time.title;
    }
    const name = npub(key);
    const author = make("a", name.slice(0, 12) + "…", { className: "person", title: key });
    author.href = "/" + name;
    const page = make("a", id.slice(0, 8) + "…", { className: "mono" });
    page.href = "/events/" + encodeURIComponent(id);
    head.append(make("strong", `kind ${Number(evt.kind)}`), author, page, time);
    li.append(head);
    const status = (evt.tags ?? []).find?.((t) => Array.isArray(t) && t[0] === "status");
    const text = [status ? `status ${status.slice(1, 3).join(" ")}` : "", String(evt.content)].filter(Boolean).join(" · ")
      || short((evt.tags ?? []).find?.((t) => Array.isArray(t) && t[0] === "i")?.[1] ?? "", 280);
    if (text) {
      const p = make("p", "", { className: "text" });
      p.append(make("bdi", short(text, 280)));
      li.append(p);
    }
    if (raw.length > 65536) return li; // its own page shows so much
    const more = make("details");
    more.append(make("summary", "raw"));
    more.addEventListener("toggle", () => {
      if (!more.open || more.children.length > 1) return;
      // exactly as the relay sent it, without the envelope
      more.append(make("pre", raw.slice(raw.indexOf("{"), raw.lastIndexOf("}") + 1)));
    });
    li.append(more);
    return li;
  };
  const add = (evt, raw, isLive) => {
    if (isLive) list.prepend(item(evt, raw));
    else if (list.children.length < most) list.append(item(evt, raw));
    while (list.children.length > most) list.lastElementChild.remove();
  };

  const message = (m, raw) => {
    switch (m[0]) {
      case "EVENT":
        if (m[1] !== "explore" || typeof m[2] !== "object" || !m[2]) return;
        if (ended) live++; else stored++;
        if (paused) {
          held.push([m[2], raw, ended]);
          if (held.length > most) held.shift();
        } else add(m[2], raw, ended);
        return tell();
      case "EOSE":
        ended = true;
        state = `Everything stored came in ${Math.round(performance.now() - begun)} ms (EOSE${m[2] ? ", " + short(m[2], 40) : ""}), listening on`;
        return tell(true);
      case "COUNT":
        state = `${m[2]?.approximate ? "About " : ""}${Number(m[2]?.count)} events, counted in ${Math.round(performance.now() - begun)} ms`;
        finish();
        return;
      case "CLOSED":
        state = `The relay closed it (CLOSED): ${short(m[2], 300)}`;
        if (String(m[2]).startsWith("auth-required")) sign.hidden = false;
        if (sign.hidden) finish(); else tell(true);
        return;
      case "NOTICE":
        state = `The relay says (NOTICE): ${short(m[1], 300)}`;
        return tell(true);
      case "AUTH": // it is only offered: most of what is here needs no key
        window.dvm.signer().then((nostr) => { if (nostr && open) sign.hidden = false; });
    }
  };
  const finish = (why) => {
    open?.close();
    open = null;
    stop.hidden = hold.hidden = sign.hidden = true;
    if (why) state = why;
    tell(true);
  };
  const ask = () => { begun = performance.now(); open.send(JSON.parse(box.dataset.answerOf)); };
  const release = () => {
    paused = false;
    hold.textContent = "Pause";
    hold.setAttribute("aria-pressed", "false");
    for (const one of held) add(...one);
    held = [];
  };
  const start = () => {
    open?.close();
    list.replaceChildren();
    stored = live = 0;
    ended = false;
    held = [];
    release();
    state = "Connecting";
    tell(true);
    stop.hidden = hold.hidden = false;
    open = socket({ open: () => { state = "Asked"; ask(); tell(true); }, message, end: (why) => finish(`The connection ended: ${short(why, 200)}`) });
  };
  stop.addEventListener("click", () => finish("Stopped"));
  hold.addEventListener("click", () => {
    if (paused) release();
    else {
      paused = true;
      hold.textContent = "Resume";
      hold.setAttribute("aria-pressed", "true");
    }
    tell(true);
  });
  sign.addEventListener("click", async () => {
    const [ok, words] = await open.auth(box.dataset.relay);
    if (!open) return;
    state = ok ? "Signed in, asked again" : `Not signed in: ${short(words, 200)}`;
    if (ok) {
      sign.hidden = true;
      list.replaceChildren();
      stored = live = 0;
      ended = false;
      ask();
    }
    tell(true);
  });
  if (sessionStorage.getItem(memory)) {
    sessionStorage.removeItem(memory);
    start();
  }
})();
