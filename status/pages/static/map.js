// The map: our own river lines and the stations' shapes; no tiles, so no third party and nothing heavy.

import { chipOf, shape, statusText } from "./rows.js";

const language = document.body.dataset.language;
const PATH = { id: "stasiun", en: "station" };

function icon(L, chip) {
  const holder = document.createElement("span");
  holder.className = `pin ${chip}`;
  holder.append(shape(chip));
  return L.divIcon({ className: "", html: holder, iconSize: [24, 24] });
}

function label(properties) {
  const text = statusText(properties);
  return properties.value === null ? `${properties.name}: ${text}`
    : `${properties.name}: ${text}, ${properties.value} ${properties.unit}`;
}

/** Draws the map, or hides its part of the page when the library is not there. */
export function drawMap(place) {
  const L = window.L;
  if (!place || !L) {
    place?.closest("section")?.setAttribute("hidden", "");
    return null;
  }
  const map = L.map(place, { scrollWheelZoom: false, zoomSnap: 0.25, attributionControl: false, keyboard: true });
  map.setView([0, 0], 2);
  const markers = new Map(), bounds = L.latLngBounds([]);
  let fitted = false;
  fetch(place.dataset.rivers).then((answer) => answer.json()).then((rivers) => {
    const lines = L.geoJSON(rivers, { style: { className: "river" }, interactive: false }).addTo(map);
    lines.bringToBack();
  }).catch(() => {});
  fetch("/api/v1/stations").then((answer) => answer.json()).then((collection) => {
    for (const feature of collection.features) {
      if (!feature.geometry) continue;
      const [lon, lat] = feature.geometry.coordinates, properties = feature.properties, chip = chipOf(properties);
      const marker = L.marker([lat, lon], {
        icon: icon(L, chip), alt: label(properties), title: label(properties), riseOnHover: true,
        zIndexOffset: { s3: 3000, s2: 2000, s1: 1000, awaiting: 900 }[chip] ?? (chip === "never" ? -500 : 0),
      });
      const open = () => { location.href = `/${language}/${PATH[language]}/${encodeURIComponent(properties.id)}`; };
      marker.on("click", open);
      marker.on("keydown", (event) => { if (event.originalEvent.key === "Enter") open(); });
      marker.addTo(map);
      markers.set(feature.id, marker);
      bounds.extend([lat, lon]);
    }
    if (!fitted && bounds.isValid()) map.fitBounds(bounds, { padding: [16, 16] });
    fitted = true;
  }).catch(() => {});
  return {
    paint(id, properties) {
      const marker = markers.get(id);
      if (!marker) return;
      const chip = chipOf(properties);
      if (!marker.getElement()?.querySelector(`.pin.${chip}`)) marker.setIcon(icon(L, chip)); // a new icon loses focus
      marker.getElement()?.setAttribute("title", label(properties));
      marker.getElement()?.setAttribute("aria-label", label(properties));
    },
  };
}
