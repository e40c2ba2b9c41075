// How somebody has arranged the trading page: sizes, panels that are hidden, tabs that are open.
// early.js reads the same entry before the first paint, so that nothing jumps.

import { forget, ownName, remember, remembered } from "memory";

const NAME = ownName("layout");

function whole() {
  try {
    return JSON.parse(remembered(NAME)) ?? {};
  } catch {
    // It holds nonsense: the layout is the one that everybody begins with.
    return {};
  }
}

/** One part: "sizes" by splitter, "tabs" by list, "hidden" by panel. */
export function kept(part) {
  const found = whole()[part];
  return found && typeof found === "object" ? found : {};
}

/** Keep one value of a part; undefined takes it out. */
export function keep(part, name, value) {
  remember(NAME, JSON.stringify({ ...whole(), [part]: { ...kept(part), [name]: value } }));
}

export function forgetLayout() {
  forget(NAME);
}
