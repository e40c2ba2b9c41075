// What a person has set in this browser beside the appearance: texts by name, with listeners.

import { ownName, remember, remembered } from "memory";

const DEFAULTS = { sound: "off", keys: "on", "ask-at": "" };

export function setting(name) {
  return remembered(ownName(name)) ?? DEFAULTS[name];
}

export function set(name, value) {
  remember(ownName(name), value);
  document.dispatchEvent(new CustomEvent("setting", { detail: { name, value } }));
}
