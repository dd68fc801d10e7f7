// The charts of a page, drawn by uPlot from the table with the same numbers: only while they are seen, anew when the
// colours or the width change. A step in which nothing was heard is hatched: unknown is not zero.
"use strict";

(() => {
  const figures = [...document.querySelectorAll("[data-chart]")];
  if (!figures.length || typeof uPlot === "undefined") return;
  const plots = new Map(); // figure -> uPlot
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const two = (n) => String(n).padStart(2, "0");

  const when = (at, step, last) => {
    const d = new Date(at * 1000), day = `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
    if (step >= 28 * 86400) return `${months[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
    if (step >= 86400) return day;
    const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
    return last === undefined || last === d.getUTCDate() ? time : `${day}\n${time}`;
  };
  const short = (n) => (n >= 1e6 ? `${+(n / 1e6).toFixed(1)} M` : n >= 1e4 ? `${+(n / 1e3).toFixed(1)} k` : String(+n.toFixed(2)));
  const units = {
    n: short,
    ms: (n) => (n < 1000 ? `${Math.round(n)} ms` : n < 120000 ? `${+(n / 1000).toFixed(1)} s` : `${Math.round(n / 60000)} min`),
  };

  // read takes the numbers out of the table: the times, one list per column that the figure picks, and the gaps.
  const read = (figure) => {
    const table = document.getElementById(figure.dataset.chart), picks = figure.dataset.pick.split(" ");
    const heads = [...table.tHead.rows[0].cells], rows = [...table.tBodies[0].rows];
    const columns = picks.map((name) => heads.findIndex((h) => h.dataset.name === name));
    return {
      heads: columns.map((c) => heads[c].dataset), names: columns.map((c) => heads[c].textContent),
      times: rows.map((r) => Number(r.dataset.at)),
      values: columns.map((c) => rows.map((r) => (r.cells[c].dataset.v === undefined ? null : Number(r.cells[c].dataset.v)))),
      gaps: rows.map((r) => "gap" in r.dataset),
    };
  };

  const hatch = (u, data, step, colour) => {
    const c = u.ctx, box = u.bbox, wide = Math.round(6 * devicePixelRatio);
    c.save();
    c.strokeStyle = colour;
    c.lineWidth = devicePixelRatio;
    data.times.forEach((at, i) => {
      if (!data.gaps[i]) return;
      const from = Math.max(u.valToPos(at - step / 2, "x", true), box.left), to = Math.min(u.valToPos(at + step / 2, "x", true), box.left + box.width);
      if (to <= from) return;
      c.save();
      c.beginPath();
      c.rect(from, box.top, to - from, box.height);
      c.clip();
      c.beginPath();
      for (let x = from - box.height; x < to; x += wide) {
        c.moveTo(x, box.top + box.height);
        c.lineTo(x + box.height, box.top);
      }
      c.stroke();
      c.restore();
    });
    c.restore();
  };

  const draw = (figure) => {
    plots.get(figure)?.destroy();
    const data = read(figure), step = Number(figure.dataset.step), into = figure.querySelector(".canvas"), at = figure.querySelector(".at");
    const css = getComputedStyle(figure), colour = (name) => css.getPropertyValue(name).trim();
    const unit = units[data.heads[0].unit], wide = into.clientWidth;
    const bars = data.heads[0].unit === "n";
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const ends = data.times.length ? [data.times[0] - step / 2, data.times[data.times.length - 1] + step / 2] : [0, 1];
    const series = data.heads.map((h, i) => {
      const ink = colour("--" + h.tone), asBar = bars && i < 2;
      return {
        label: data.names[i], stroke: ink, width: asBar ? 0 : 2, fill: asBar ? ink : undefined, spanGaps: false,
        paths: asBar ? uPlot.paths.bars({ size: [0.8, 40], align: 0 }) : undefined,
        points: { show: !asBar, size: 6, fill: ink },
      };
    });
    const tell = (i) => {
      at.textContent = i === null || i === undefined ? "" : `${when(data.times[i], step)}${data.gaps[i] ? " (gap)" : ""}: ` +
        data.names.map((name, k) => `${name} ${data.values[k][i] === null ? "unknown" : units[data.heads[k].unit](data.values[k][i])}`).join(", ");
    };
    plots.set(figure, new uPlot({
      width: wide, height: 170, legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
      scales: { x: { time: true, range: () => ends }, y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.08] } },
      axes: [
        { ...axis, size: step < 86400 ? 38 : 24, grid: { show: false }, space: 70, incrs: [1, 2, 3, 6, 12, 24, 48, 96, 168, 360, 720, 2160, 8760, 17520, 43800].map((n) => n * Math.min(step, 3600)).filter((n) => n >= step), values: (_, ticks) => {
          let last;
          return ticks.map((t) => { const text = when(t, step, last); last = new Date(t * 1000).getUTCDate(); return text; });
        } },
        { ...axis, size: 54, values: (_, ticks) => ticks.map((n) => (bars && n % 1 ? "" : unit(n))) },
      ],
      series: [{}, ...series],
      hooks: { drawAxes: [(u) => hatch(u, data, step, colour("--dim"))], setCursor: [(u) => tell(u.cursor.idx)] },
    }, [data.times, ...data.values], into));
  };

  const seen = new IntersectionObserver((entries) => {
    for (const e of entries) if (e.isIntersecting && !plots.has(e.target)) draw(e.target);
  }, { rootMargin: "1500px" });
  const sized = new ResizeObserver((entries) => {
    for (const e of entries) {
      const u = plots.get(e.target.parentElement), wide = Math.floor(e.contentRect.width);
      if (u && wide > 0 && Math.abs(u.width - wide) > 1) u.setSize({ width: wide, height: 170 });
    }
  });
  for (const figure of figures) {
    figure.hidden = false;
    seen.observe(figure);
    sized.observe(figure.querySelector(".canvas"));
  }
  const again = () => { for (const figure of plots.keys()) draw(figure); };
  document.addEventListener("dvm:theme", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
