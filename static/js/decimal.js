// Exact decimal arithmetic. An amount is a BigInt counted in units of 10^-18; text comes in and
// goes out, and nothing here or in those who use it turns money into a floating-point number.

const PLACES = 18;
export const ONE = 10n ** 18n;
export const ZERO = 0n;

const SHAPE = /^(-?)(0|[1-9]\d{0,17})(?:\.(\d{1,18}))?$/;

/** The amount a decimal string stands for, or null where it is none. */
export function parse(text) {
  const parts = SHAPE.exec(text ?? "");
  if (!parts) return null;
  const units = BigInt(parts[2]) * ONE + BigInt((parts[3] ?? "").padEnd(PLACES, "0"));
  return parts[1] ? -units : units;
}

/** Like parse, for what people type: surrounding space, a leading or a trailing dot are fine. */
export function parseTyped(text) {
  const trimmed = text.trim();
  if (trimmed === ".") return null;
  const padded = trimmed.startsWith(".") ? `0${trimmed}` : trimmed.replace(/\.$/, "");
  const value = parse(padded);
  return value === null || value < 0n ? null : value;
}

/** The shortest decimal string of an amount, or one with at least `least` decimals. */
export function text(units, least = 0) {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(PLACES + 1, "0");
  const whole = digits.slice(0, -PLACES);
  const fraction = digits.slice(-PLACES).replace(/0+$/, "").padEnd(least, "0");
  return `${negative ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}

export function multiply(a, b) {
  return (a * b) / ONE;
}

/** The product, rounded up at the given number of decimals: how fees are charged. */
export function multiplyUp(a, b, places) {
  const unit = 10n ** BigInt(2 * PLACES - places);
  const product = a * b;
  const whole = product / unit;
  return (whole * unit === product ? whole : whole + 1n) * (unit / ONE);
}

export function divide(a, b) {
  return (a * ONE) / b;
}

/** The largest whole multiple of `step` that is not above the amount. */
export function floorTo(units, step) {
  return units - (units % step);
}

/** The nearest whole multiple of `step`; halves go up. */
export function roundTo(units, step) {
  return floorTo(units + step / 2n, step);
}

export function isMultiple(units, step) {
  return units % step === 0n;
}

export function least(a, b) {
  return a < b ? a : b;
}

export function most(a, b) {
  return a > b ? a : b;
}

/** How many decimals a decimal string such as a tick size has: "0.01" has two. */
export function places(step) {
  const fraction = step.split(".")[1] ?? "";
  return fraction.replace(/0+$/, "").length;
}
