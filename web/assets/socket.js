// One websocket to this very relay, as any client opens it, with the answer to its challenge (NIP-42) when the visitor
// wants that.
"use strict";

(() => {
  // socket opens the websocket. on.message is given each message of the relay, on.end what it ended with.
  const socket = (on) => {
    const ws = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`);
    const waiting = new Map(); // id of what was sent -> what is to be told of its OK
    let challenge = "", over = false;
    const end = (why) => {
      if (over) return;
      over = true;
      for (const told of waiting.values()) told([false, why]);
      on.end?.(why);
    };
    const send = (message) => ws.send(JSON.stringify(message));
    // say sends an event in a message and gives what OK says of it: whether, and the relay's words.
    const say = (label, evt) => new Promise((done) => {
      if (ws.readyState !== 1) return done([false, "the connection is closed"]);
      const timer = setTimeout(() => done([false, "no answer within 15 seconds"]), 15000);
      waiting.set(evt.id, (ok) => { clearTimeout(timer); waiting.delete(evt.id); done(ok); });
      send([label, evt]);
    });
    ws.onopen = () => on.open?.();
    ws.onerror = () => end("no connection");
    ws.onclose = (e) => end(e.reason || "the connection was closed");
    ws.onmessage = (e) => {
      let m;
      try { m = JSON.parse(e.data); } catch { return; }
      if (!Array.isArray(m)) return;
      if (m[0] === "AUTH") challenge = String(m[1]);
      if (m[0] === "OK") waiting.get(m[1])?.([m[2] === true, String(m[3] ?? "")]);
      on.message?.(m, e.data);
    };
    return {
      send,
      publish: (evt) => say("EVENT", evt),
      // auth answers the relay's challenge with the visitor's key. NIP-42.
      auth: async (relay) => {
        const nostr = await window.dvm.signer();
        if (!nostr) return [false, "there is no signer (NIP-07) in this browser"];
        if (!challenge) return [false, "this relay asks nobody to sign in: it was not told its own address"];
        try {
          const evt = await nostr.signEvent({ kind: 22242, created_at: Math.floor(Date.now() / 1000), tags: [["relay", relay], ["challenge", challenge]], content: "" });
          return await say("AUTH", evt);
        } catch {
          return [false, "the signer said no"];
        }
      },
      close: () => { over = true; ws.onclose = ws.onerror = ws.onmessage = null; ws.close(); },
    };
  };

  // ---- npub: bech32 of a key ----
  const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  const polymod = (values) => values.reduce((c, v) => {
    const top = c >>> 25;
    c = ((c & 0x1ffffff) << 5) ^ v;
    [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].forEach((g, i) => { if ((top >> i) & 1) c ^= g; });
    return c;
  }, 1);
  const npub = (hex) => {
    if (!/^[0-9a-f]{64}$/.test(hex)) return "";
    const bits = [...hex].map((c) => parseInt(c, 16).toString(2).padStart(4, "0")).join("").padEnd(260, "0");
    const data = bits.match(/.{5}/g).map((b) => parseInt(b, 2));
    const prefix = [3, 3, 3, 3, 0, 14, 16, 21, 2]; // of "npub"
    const sum = polymod([...prefix, ...data, 0, 0, 0, 0, 0, 0]) ^ 1;
    for (let i = 5; i >= 0; i--) data.push((sum >> (5 * i)) & 31);
    return "npub1" + data.map((d) => letters[d]).join("");
  };

  // an element with a text, which is never read as HTML
  const make = (tag, text, as) => Object.assign(document.createElement(tag), { textContent: text ?? "" }, as);
  Object.assign(window.dvm, { socket, npub, make });
})();
