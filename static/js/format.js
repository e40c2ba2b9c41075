// How numbers and times look. Strings in, strings out; the same rules as the template filters.

import * as decimal from "decimal";

const GROUPS = /\B(?=(\d{3})+(?!\d))/g;

/** 64231.5 with two decimals -> 64,231.50; more decimals than asked for are kept. */
export function amount(text, least = 0) {
  const [whole, fraction = ""] = String(text).split(".");
  const padded = fraction.padEnd(least, "0");
  return whole.replace(GROUPS, ",") + (padded ? `.${padded}` : "");
}

/** Exactly that many decimals, the rest cut off: for columns where a glance is enough. */
export function fixed(text, places) {
  const [whole, fraction = ""] = String(text).split(".");
  const cut = fraction.slice(0, places).padEnd(places, "0");
  return whole.replace(GROUPS, ",") + (cut ? `.${cut}` : "");
}

/** Without zeros at the end beyond two decimals: for amounts of assets with many. */
export function trimmed(text) {
  const [whole, fraction = ""] = String(text).split(".");
  return `${whole.replace(GROUPS, ",")}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

/** At a glance: four decimals above one, eight below; cut, with at least two. */
export function brief(text) {
  const [whole, fraction = ""] = String(text).split(".");
  return trimmed(`${whole}.${fraction.slice(0, whole === "0" ? 8 : 4)}`);
}

const SCALES = [
  ["T", 12],
  ["B", 9],
  ["M", 6],
  ["K", 3],
];

/** 1234567.8 -> 1.23M. Cut, not rounded up. */
export function compact(text) {
  const [whole, fraction = ""] = String(text).split(".");
  const negative = whole.startsWith("-");
  const digits = negative ? whole.slice(1) : whole;
  for (const [letter, zeros] of SCALES) {
    if (digits.length > zeros) {
      const head = digits.slice(0, digits.length - zeros);
      const tail = digits.slice(digits.length - zeros).slice(0, Math.max(0, 3 - head.length));
      return `${negative ? "-" : ""}${head}${tail ? `.${tail}` : ""}${letter}`;
    }
  }
  const room = digits.length > 1 ? 2 : 4;
  const cut = fraction.slice(0, room).replace(/0+$/, "");
  return `${whole}${cut ? `.${cut}` : ""}`;
}

export function percent(text) {
  if (text === null || text === undefined || text === "") return "–";
  const sign = direction(text) === "up" ? "+" : "";
  return `${sign}${fixed(text, 2)}%`;
}

export function direction(text) {
  if (!text || /^-?0*(\.0*)?$/.test(text)) return "";
  return text.startsWith("-") ? "down" : "up";
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });

export function clock(iso) {
  return iso ? CLOCK.format(new Date(iso)) : "";
}

/** Time of day for today, date and time before that. */
export function moment(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  const today = new Date().toDateString() === at.toDateString();
  return today ? CLOCK.format(at) : `${DAY.format(at)} ${CLOCK.format(at).slice(0, 5)}`;
}

/** The price with the digits that stayed the same dimmed, as nodes. */
export function priceNodes(next, before) {
  let same = 0;
  if (before && before.length === next.length) {
    while (same < next.length && next[same] === before[same]) same += 1;
    if (same === next.length) same = 0;
  }
  if (!same) return [document.createTextNode(next)];
  const dim = document.createElement("span");
  dim.className = "same";
  dim.textContent = next.slice(0, same);
  return [dim, document.createTextNode(next.slice(same))];
}

export function signed(units, places) {
  const text = fixed(decimal.text(units), places);
  return units > 0n ? `+${text}` : text;
}
