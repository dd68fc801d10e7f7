// The page of a job: the left and right arrow keys walk its events.
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll("tr[id^='event-']")];
  const chosen = () => {
    const at = document.activeElement, row = at?.closest("tr[id^='event-']");
    if (row) return row;
    const link = at?.closest("a.mark")?.getAttribute("href") ?? location.hash;
    return link.startsWith("#event-") ? document.getElementById(link.slice(1)) : null;
  };
  const light = (row) => {
    for (const m of document.querySelectorAll("a.mark.on")) m.classList.remove("on");
    document.getElementById(row.dataset.mark)?.classList.add("on");
  };
  document.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!step || e.altKey || e.ctrlKey || e.metaKey || e.shiftKey || e.defaultPrevented) return;
    if (e.target.closest("input, select, textarea, [contenteditable]")) return;
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(chosen());
    const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : now + step;
    e.preventDefault();
    if (next < 0) return;
    if (next >= all.length) {
      document.getElementById("events-later")?.focus();
      return;
    }
    all[next].focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "center" });
  });
  document.addEventListener("focusin", (e) => {
    const row = e.target.closest?.("tr[id^='event-']");
    if (row) light(row);
  });
})();
