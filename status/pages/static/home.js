// The front page: rows that update themselves, alerts read anew when one changes, the map.

import { follow, onChange, onStation } from "./live.js";
import { drawMap } from "./map.js";
import { asOfText, chipElement, chipOf } from "./rows.js";

const map = drawMap(document.getElementById("map"));
const address = location.pathname;

// Parts that only the server writes are read anew, at most every few seconds and not by everybody at once.
let waiting = false;
function refresh(...ids) {
  if (waiting) return;
  waiting = true;
  setTimeout(async () => {
    waiting = false;
    try {
      const text = await (await fetch(address, { cache: "no-cache" })).text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      for (const id of ids) {
        const part = document.getElementById(id), other = fresh.getElementById(id);
        if (part && other && part.innerHTML !== other.innerHTML) part.innerHTML = other.innerHTML;
      }
    } catch { /* offline: the line under the title says so */ }
  }, 300 + Math.random() * 1200);
}

function summarise() {
  const counts = new Map();
  for (const row of document.querySelectorAll("#stations tr[data-station]")) {
    const chip = row.querySelector(".chip");
    const entry = counts.get(row.className) ?? { count: 0, text: chip.textContent };
    counts.set(row.className, { ...entry, count: entry.count + 1 });
  }
  const order = ["s3", "s2", "s1", "awaiting", "s0", "nolimits", "unusable", "stale", "out", "never"];
  const items = order.filter((name) => counts.has(name)).map((name) => {
    const item = document.createElement("li"), number = document.createElement("b");
    item.className = name;
    number.textContent = counts.get(name).count;
    item.append(number, chipElement(name, counts.get(name).text.trim()));
    return item;
  });
  document.getElementById("summary").replaceChildren(...items);
}

let summaryDue = false;
onStation((id, properties) => {
  map?.paint(id, properties);
  const row = document.querySelector(`details tr[data-station="${CSS.escape(id)}"]`);
  if (row && chipOf(properties) !== "never") refresh("stations", "crowds", "summary");
  if (!summaryDue) {
    summaryDue = true;
    setTimeout(() => { summaryDue = false; summarise(); }, 200);
  }
});
onChange((at) => { document.getElementById("as-of").textContent = asOfText(at); });
follow(() => refresh("outage", "alerts"));
