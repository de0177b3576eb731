// Keeps the stations of a page alive: the snapshot once, then the stream; ages go on without any network.

import { aged, chipOf, now, paint, paintAge, paintPresent, setClock, words } from "./rows.js";

const stations = new Map();
const listeners = [];

/** Calls back with (id, properties) whenever a station is painted anew. */
export const onStation = (listener) => listeners.push(listener);

function show(id) {
  const properties = stations.get(id);
  for (const row of document.querySelectorAll(`tr[data-station="${CSS.escape(id)}"]`)) {
    const shown = aged(properties, Number(row.dataset.staleMs));
    paint(row, shown);
    for (const part of document.querySelectorAll(`[data-present="${CSS.escape(id)}"]`)) paintPresent(part, shown);
    for (const listener of listeners) listener(id, shown);
  }
}

function tick() {
  for (const row of document.querySelectorAll("tr[data-station]")) {
    const properties = stations.get(row.dataset.station);
    if (!properties) continue;
    const shown = aged(properties, Number(row.dataset.staleMs));
    if (row.className === chipOf(shown)) paintAge(row, shown);
    else show(row.dataset.station);
  }
}

function say(connected) {
  const line = document.getElementById("live");
  const text = connected ? words.live_on : words.live_off;
  if (line && line.textContent !== text) line.textContent = text;
  line?.classList.toggle("on", connected);
  line?.classList.toggle("off", !connected);
}

/** Asks for the clock anew, for all who are shown: after its speed has changed, nothing that was counted holds. */
async function readClock() {
  try {
    const text = await (await fetch(location.pathname, { cache: "no-cache" })).text();
    setClock(new DOMParser().parseFromString(text, "text/html").body.dataset);
    for (const id of stations.keys()) show(id);
  } catch { /* offline: the line under the title says so */ }
}

/** Reads the snapshot and follows the stream; `onAlert` is called when any alert changed. */
export async function follow(onAlert = () => {}) {
  setInterval(tick, 1000);
  addEventListener("offline", () => say(false));
  try {
    const collection = await (await fetch("/api/v1/stations", { cache: "no-cache" })).json(); // the stream tells only what comes after it
    for (const feature of collection.features) {
      stations.set(feature.id, feature.properties);
      show(feature.id);
    }
  } catch {
    say(false);
  }
  const stream = new EventSource("/api/v1/stream");
  stream.onopen = () => {
    say(true);
    if (Number(document.body.dataset.speed) !== 1) readClock(); // a line that was down may have missed the change
  };
  stream.onerror = () => say(false);
  stream.addEventListener("station", (event) => {
    const properties = JSON.parse(event.data);
    stations.set(properties.id, properties);
    show(properties.id);
    mark();
  });
  stream.addEventListener("clock", readClock);
  stream.addEventListener("alert", onAlert);
  addEventListener("pagehide", () => stream.close());
}

let asOf = null;
export const onChange = (callback) => { asOf = callback; };
const mark = () => asOf?.(now());
