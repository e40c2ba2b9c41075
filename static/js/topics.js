// Subscribing with a memory of what may be old: the connection light asks here whether everything
// that this page follows is fresh, so that it never says "live" above numbers that stand still.

import { subscribe } from "live";

const PATIENCE_MS = 5000;
const old = new Set();
const listeners = new Set();

function mark(topic, stale) {
  if (stale === old.has(topic)) return;
  if (stale) old.add(topic);
  else old.delete(topic);
  for (const listener of listeners) listener(old.size === 0);
}

/** Like subscribe of live.js. A topic that says nothing at all within five seconds counts as old. */
export function followTopic(topic, { snapshot, delta, stale }) {
  const timer = setTimeout(() => {
    mark(topic, true);
    stale?.();
  }, PATIENCE_MS);
  const fresh = (handler) => (data, seq) => {
    clearTimeout(timer);
    mark(topic, false);
    handler(data, seq);
  };
  const lost = () => {
    clearTimeout(timer);
    mark(topic, true);
    stale?.();
  };
  return subscribe(topic, { snapshot: fresh(snapshot), delta: fresh(delta), stale: lost, error: lost });
}

/** Hear whether all that is followed is fresh, now and whenever that changes. */
export function onFreshness(listener) {
  listeners.add(listener);
  listener(old.size === 0);
}
