// A station's page: its row updates itself, and its readings as a chart with the limits and the forecast.

import { follow, onStation } from "./live.js";
import { clockText, now, numberText } from "./rows.js";

const place = document.getElementById("chart"), note = document.getElementById("chart-note");
const COLOURS = ["#8a6d00", "#b35900", "#b3001e"];
let plot = null, hours = 24, timer = 0;

// Only the server writes the forecast; it is read anew when a reading came, and turns old by itself without one.
const forecast = () => document.getElementById("forecast");
async function refreshForecast() {
  try {
    const text = await (await fetch(location.pathname, { cache: "no-cache" })).text();
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("forecast");
    if (fresh && forecast()) forecast().replaceWith(fresh);
    else if (fresh) document.getElementById("chart-part").before(fresh);
  } catch { /* offline: what is shown turns old below */ }
}
function ageForecast() {
  const part = forecast();
  if (!part || part.classList.contains("old") || now() <= Number(part.dataset.staleAt)) return;
  part.classList.add("old");
  if (plot) draw();
}
setInterval(ageForecast, 5000);

/** Rows of at (s), low, middle, high, the first of them the reading it was made from; none when it is out of date. */
function expected() {
  const part = forecast();
  if (!part || part.classList.contains("old")) return [];
  return JSON.parse(part.dataset.steps).map(([at, ...levels]) => [at / 1000, ...levels]);
}

/** Columns for the chart: instants, readings, and low, middle, high of what is expected; null where there is none. */
function joined([times, values], ahead) {
  const rows = new Map(times.map((at, index) => [at, [values[index], null, null, null]]));
  for (const [at, low, middle, high] of ahead) rows.set(at, [rows.get(at)?.[0] ?? null, low, middle, high]);
  const instants = [...rows.keys()].sort((one, other) => one - other);
  return [instants, ...[0, 1, 2, 3].map((column) => instants.map((at) => rows.get(at)[column]))];
}

async function readings() {
  const end = Math.max(Number(place.dataset.end), newest + 1), start = end - hours * 3600000;
  const every = hours > 48 ? "&every=PT1H" : "";
  const url = `/api/v1/stations/${encodeURIComponent(place.dataset.station)}/readings?start=${start}&end=${end}${every}`;
  const found = (await (await fetch(url)).json()).readings;
  const usable = found.filter((reading) => reading.flag !== 4);
  return [usable.map((r) => Date.parse(r.observed_at ?? r.at) / 1000), usable.map((r) => r.value ?? r.mean)];
}

function options(values, ahead) {
  const decimals = Number(place.dataset.decimals);
  const limits = JSON.parse(place.dataset.limits);
  const inSight = limits.filter((limit) => limit !== null);
  const text = (value) => numberText(value, decimals);
  const shown = (_, value) => (value === null || value === undefined ? "" : text(value));
  return {
    width: place.clientWidth, height: Math.min(360, Math.max(220, place.clientWidth * 0.5)),
    legend: { show: true, live: true },
    cursor: { y: false },
    scales: { y: { range: (_, low, high) => {
      const near = inSight.filter((limit) => limit >= low - (high - low + 20) && limit <= high + (high - low + 20));
      const bottom = Math.min(low, ...near), top = Math.max(high, ...near), room = Math.max(1, (top - bottom) * 0.08);
      return [bottom - room, top + room];
    } } },
    axes: [
      { values: (_, ticks) => ticks.map((tick) => clockText(tick * 1000).replace(/ \S+$/, "")), space: 80 },
      { values: (_, ticks) => ticks.map(text), size: 56 },
    ],
    series: [
      { value: (_, at) => (at === null ? "" : clockText(at * 1000)), label: note.dataset.time ?? "" },
      { label: place.dataset.unit, stroke: "#0b4f8a", width: 2, spanGaps: true, points: { show: values.length < 60, size: 5 },
        value: shown },
      ...(ahead ? [
        { label: `${place.dataset.band} 5 %`, stroke: "#6b7c8a", width: 1, dash: [2, 3], points: { show: false }, value: shown },
        { label: place.dataset.expected, stroke: "#0b4f8a", width: 2, dash: [8, 5], points: { show: false }, value: shown },
        { label: `${place.dataset.band} 95 %`, stroke: "#6b7c8a", width: 1, dash: [2, 3], points: { show: false }, value: shown },
      ] : []),
    ],
    bands: ahead ? [{ series: [4, 2], fill: "rgba(11, 79, 138, .12)" }] : [],
    hooks: { draw: [(chart) => {
      const { ctx, bbox } = chart;
      ctx.save();
      ctx.setLineDash([6, 4]);
      limits.forEach((limit, index) => {
        if (limit === null) return;
        const y = chart.valToPos(limit, "y", true);
        if (y < bbox.top || y > bbox.top + bbox.height) return;
        ctx.strokeStyle = COLOURS[index];
        ctx.lineWidth = 2;
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
      });
      ctx.restore();
    }] },
  };
}

async function draw() {
  try {
    const data = await readings(), ahead = expected();
    const count = data[0].length + ahead.length;
    plot?.destroy();
    plot = null;
    note.textContent = count ? "" : place.dataset.empty;
    const columns = ahead.length ? joined(data, ahead) : data;
    if (count) plot = new window.uPlot(options(data[1], ahead.length > 0), columns, place);
  } catch {
    note.textContent = place.dataset.failed;
  }
}

let newest = 0;
onStation((_, properties) => {
  const at = properties.observed_at ? Date.parse(properties.observed_at) : 0;
  if (at <= newest) return;
  const first = newest === 0;
  newest = at;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!first) await refreshForecast();
    if (window.uPlot) draw();
  }, 500);
});

if (window.uPlot) {
  document.getElementById("chart-part").hidden = false;
  for (const button of document.querySelectorAll("#ranges button")) {
    button.addEventListener("click", () => {
      hours = Number(button.dataset.hours);
      for (const other of document.querySelectorAll("#ranges button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      draw();
    });
  }
  draw();
  let width = place.clientWidth;
  addEventListener("resize", () => {
    if (plot && place.clientWidth !== width) {
      width = place.clientWidth;
      plot.setSize({ width, height: Math.min(360, Math.max(220, width * 0.5)) });
    }
  });
}
follow();
