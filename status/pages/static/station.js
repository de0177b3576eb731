// A station's page: its row updates itself, and its readings as a chart with the limits.

import { follow, onStation } from "./live.js";
import { clockText, numberText } from "./rows.js";

const place = document.getElementById("chart"), note = document.getElementById("chart-note");
const COLOURS = ["#8a6d00", "#b35900", "#b3001e"];
let plot = null, hours = 24, timer = 0;

async function readings() {
  const end = Math.max(Number(place.dataset.end), newest + 1), start = end - hours * 3600000;
  const every = hours > 48 ? "&every=PT1H" : "";
  const url = `/api/v1/stations/${encodeURIComponent(place.dataset.station)}/readings?start=${start}&end=${end}${every}`;
  const found = (await (await fetch(url)).json()).readings;
  const usable = found.filter((reading) => reading.flag !== 4);
  return [usable.map((r) => Date.parse(r.observed_at ?? r.at) / 1000), usable.map((r) => r.value ?? r.mean)];
}

function options(values) {
  const decimals = Number(place.dataset.decimals);
  const limits = JSON.parse(place.dataset.limits);
  const inSight = limits.filter((limit) => limit !== null);
  const text = (value) => numberText(value, decimals);
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
      { label: place.dataset.unit, stroke: "#0b4f8a", width: 2, points: { show: values.length < 60, size: 5 },
        value: (_, value) => (value === null || value === undefined ? "" : text(value)) },
    ],
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
    const data = await readings();
    plot?.destroy();
    plot = null;
    note.textContent = data[0].length ? "" : place.dataset.empty;
    if (data[0].length) plot = new window.uPlot(options(data[1]), data, place);
  } catch {
    note.textContent = place.dataset.failed;
  }
}

let newest = 0;
onStation((_, properties) => {
  const at = properties.observed_at ? Date.parse(properties.observed_at) : 0;
  if (at <= newest) return;
  newest = at;
  clearTimeout(timer);
  timer = setTimeout(draw, 500);
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
