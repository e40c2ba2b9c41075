// The connection light. Green only while data flows; otherwise it says since when it may be old.
// <html data-live> carries the same state for styles that mute old numbers.

import { connect, onSignedOut, onState } from "live";
import { clock } from "format";

const GRACE_MS = 3000;

export default function connection(light) {
  const words = light.querySelector(".light-text");
  const root = document.documentElement;
  let lostAt = null;
  let timer = 0;

  function show(state, text) {
    light.dataset.state = state;
    light.title = text;
    words.textContent = text;
    root.dataset.live = state;
  }

  function showStale() {
    show("stale", `Not live since ${clock(lostAt.toISOString())}`);
  }

  onState((state) => {
    clearTimeout(timer);
    if (state === "live") {
      lostAt = null;
      show("live", "Live");
      return;
    }
    const first = lostAt === null;
    lostAt ??= new Date();
    if (state === "stale" || state === "offline") {
      showStale();
    } else if (first) {
      show("reconnecting", "Connecting");
      timer = setTimeout(showStale, GRACE_MS);
    } else {
      timer = setTimeout(showStale, GRACE_MS);
    }
  });
  onSignedOut(() => location.reload());
  connect();
}
