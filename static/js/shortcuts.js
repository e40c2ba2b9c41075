// Single keys. An element that names its key in data-shortcut is clicked by it; behaviours that are
// more than a click ask for theirs. Never while somebody types, a dialog is open, or keys are off.

import { setting } from "settings";

const SEQUENCE_MS = 1500;
const TYPING =
  "input:not([type=radio], [type=checkbox], [type=range], [type=button]), textarea, select, " +
  "[contenteditable]";
const actions = new Map();
let first = "";
let timer = 0;

/** Run something on a key such as "b" or "?", or on two after each other such as "g m". */
export function onKey(key, run) {
  actions.set(key, run);
}

function seen(element) {
  return element.checkVisibility?.() ?? element.offsetParent !== null;
}

function find(key) {
  const all = document.querySelectorAll(`[data-shortcut="${CSS.escape(key)}"]`);
  return [...all].find(seen);
}

function begins(key) {
  return document.querySelector(`[data-shortcut^="${CSS.escape(key)} "]`) !== null;
}

function run(key, event) {
  if (actions.has(key)) {
    actions.get(key)(event);
    return true;
  }
  const element = find(key);
  if (!element) return false;
  element.click();
  if (!element.matches("a[href]:not([role])")) element.focus();
  return true;
}

function forgetFirst() {
  clearTimeout(timer);
  first = "";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (setting("keys") === "off" || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.(TYPING)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const whole = first ? `${first} ${key}` : key;
  forgetFirst();
  if (run(whole, event)) event.preventDefault();
  else if (key.length === 1 && begins(key)) {
    first = key;
    timer = setTimeout(forgetFirst, SEQUENCE_MS);
  }
});
