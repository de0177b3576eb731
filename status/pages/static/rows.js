// Repaints table rows from a station's properties, in the same words as the server (status/pages/rows.py).

export const words = JSON.parse(document.getElementById("words").textContent);
const body = document.body.dataset;
let loadedAt = Date.now();

const SHAPES = ["s0", "s1", "s2", "s3"];
const STATES = { stale: "stale", never_reported: "never", out_of_service: "out" };
const ARROWS = { rising: "↑", falling: "↓", steady: "→" };

/** Milliseconds on the service's clock, which an exercise runs faster than this computer's. */
export function now() {
  return Number(body.now) + (Date.now() - loadedAt) * Number(body.speed);
}

/** Takes the clock over from a page that was rendered just now: an exercise may go on at another speed. */
export function setClock({ now: at, speed, slack }) {
  [body.now, body.speed, body.slack] = [at, speed, slack];
  loadedAt = Date.now();
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

export function numberText(value, decimals) {
  const format = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return new Intl.NumberFormat(words.locale, format).format(Math.abs(Number(value.toFixed(decimals)))).replace(
    /^/, Number(value.toFixed(decimals)) < 0 ? "−" : "");
}

export function ageText(age) {
  const minutes = Math.floor(age / 60000);
  if (minutes < 1) return words.now;
  if (minutes < 120) return fill(words.minutes, { count: minutes });
  if (minutes < 2880) return fill(words.hours, { count: Math.floor(minutes / 60) });
  return fill(words.days, { count: Math.floor(minutes / 1440) });
}

// Made once: making a formatter costs more than a hundred uses of it.
const calendar = new Intl.DateTimeFormat("id-ID", {
  timeZone: body.zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

function cityTime(at) {
  const found = {};
  for (const part of calendar.formatToParts(at)) found[part.type] = part.value;
  return found;
}

/** An instant on the city's clock; with its day when that is not today, with the year when another. */
export function clockText(at) {
  const moment = cityTime(at), today = cityTime(now());
  const text = `${moment.hour}:${moment.minute} ${moment.timeZoneName}`;
  if (moment.year === today.year && moment.month === today.month && moment.day === today.day) return text;
  const year = moment.year === today.year ? "" : ` ${moment.year}`;
  return `${moment.day} ${words.months.split(" ")[moment.month - 1]}${year} ${text}`;
}

export function asOfText(at) {
  const moment = cityTime(at);
  const month = words.months.split(" ")[moment.month - 1];
  return `${moment.day} ${month} ${moment.year} ${moment.hour}:${moment.minute}:${moment.second} ${moment.timeZoneName}`;
}

export function chipOf(properties) {
  if (properties.state in STATES) return STATES[properties.state];
  if (properties.severity !== null) return SHAPES[properties.severity];
  if (properties.flag === 4) return "unusable";
  return properties.state === "suspect" ? "awaiting" : "nolimits";
}

export function statusText(properties, chip = chipOf(properties)) {
  if (!SHAPES.includes(chip)) return words[`chip_${chip}`];
  const word = properties.label[body.language];
  return words.siaga_kinds.includes(properties.kind) ? fill(words.level, { siaga: properties.siaga, word }) : word;
}

/** What a station is once its newest value is too old, however it got no news. */
export function aged(properties, staleMs) {
  const observed = Date.parse(properties.observed_at);
  if (!properties.observed_at || !(now() - observed > staleMs + Number(body.slack))) return properties;
  if (properties.state === "out_of_service" || properties.state === "stale") return { ...properties, stale: true };
  const blank = { state: "stale", stale: true, severity: null, siaga: null, label: null, trend: null, rate: null };
  return { ...properties, ...blank, ...("level" in properties ? { level: null } : {}) };
}

export function shape(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export const chipElement = (name, text) => element("span", `chip ${name}`, shape(name), element("span", "", text));

function noteParts(row, properties, chip) {
  const key = ["stale", "never", "out", "awaiting", "unusable"].includes(chip) ? `note_${chip}`
    : properties.state === "suspect" ? "note_suspect" : "";
  if (!key) return [];
  const parts = [words[key]];
  if (row.dataset.near) {
    const link = element("a", "", fill(words.near, { name: row.dataset.near }));
    link.href = row.dataset.nearHref;
    parts.push(" ", link);
  }
  return [...parts, " ", fill(words.call, { number: body.emergency })];
}

function trendParts(properties, chip, unit, decimals) {
  const live = [...SHAPES, "awaiting", "nolimits"].includes(chip);
  if (properties.trend === null) return live ? [element("span", "quiet", words.unknown)] : [];
  const arrow = element("span", "arrow", ARROWS[properties.trend]);
  arrow.setAttribute("aria-hidden", "true");
  if (properties.trend === "steady") return [arrow, ` ${words.steady}`];
  const rate = fill(words.per_hour, { rate: numberText(Math.abs(properties.rate), decimals), unit });
  return [arrow, ` ${words[properties.trend]} ${rate}`];
}

function densityText(properties) {
  if (properties.density_per_m2 === undefined || properties.density_per_m2 === null) return "";
  const density = numberText(properties.density_per_m2, 2);
  return properties.level ? fill(words.density_level, { density, level: properties.level }) : fill(words.density, { density });
}

const field = (row, name) => row.querySelector(`[data-f="${name}"]`);

/** Writes the whole row anew. */
export function paint(row, properties) {
  const chip = chipOf(properties), decimals = Number(row.dataset.decimals);
  const unit = words[`unit_${properties.unit}`] ?? properties.unit;
  row.className = chip;
  field(row, "chip").replaceChildren(chipElement(chip, statusText(properties, chip)));
  field(row, "note").replaceChildren(...noteParts(row, properties, chip));
  if (!["never", "stale"].includes(chip)) field(row, "clock")?.remove();
  field(row, "value").textContent = properties.value === null ? "" : numberText(properties.value, decimals);
  field(row, "unit").textContent = properties.value === null ? "" : unit;
  field(row, "density").textContent = densityText(properties);
  field(row, "trend").replaceChildren(...trendParts(properties, chip, unit, decimals));
  if (!properties.observed_at) return;
  field(row, "time").dateTime = properties.observed_at;
  field(row, "time").textContent = clockText(Date.parse(properties.observed_at));
  paintAge(row, properties);
}

/** Writes what an alert's card says of the present value, and whether the alert stands above its limit by patience only. */
export function paintPresent(part, properties) {
  const live = [...SHAPES, "nolimits"].includes(chipOf(properties)) && properties.value !== null;
  const number = live ? numberText(properties.value, Number(part.dataset.decimals)) : "";
  const unit = words[`unit_${properties.unit}`] ?? properties.unit;
  const time = live ? clockText(Date.parse(properties.observed_at)) : "";
  const differs = live && number !== part.dataset.value;
  part.querySelector('[data-f="present"]').textContent = differs ? fill(words.present, { value: `${number} ${unit}`, time }) : "";
  const held = part.querySelector('[data-f="held"]');
  if (held) held.hidden = !(live && isBelow(properties.value, held.dataset));
}

const isBelow = (value, { limit, strict }) => (strict ? value <= Number(limit) : value < Number(limit));

/** Writes only what time alone changes. */
export function paintAge(row, properties) {
  if (!properties.observed_at) return;
  const age = field(row, "age"), text = ageText(now() - Date.parse(properties.observed_at));
  if (age.textContent === text) return;
  age.textContent = text;
  field(row, "time").textContent = clockText(Date.parse(properties.observed_at)); // today may have become yesterday
}
