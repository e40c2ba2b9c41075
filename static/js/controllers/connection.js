// The connection light. Green only while the socket is up and everything that the page follows is
// fresh; otherwise it says since when the numbers may be old. <html data-live> carries the same.

import { clock } from "format";
import { connect, onSignedOut, onState } from "live";
import { onFreshness } from "topics";

const GRACE_MS = 3000;

export default function connection(light) {
  const words = light.querySelector(".light-text");
  const root = document.documentElement;
  let state = "connecting";
  let fresh = true;
  let lostAt = null;
  let timer = 0;

  function show(name, text) {
    light.dataset.state = name;
    light.title = text;
    root.dataset.live = name;
    if (words.textContent !== text) words.textContent = text;
  }

  function showStale() {
    show("stale", `Not live since ${clock(lostAt.toISOString())}`);
  }

  function update() {
    clearTimeout(timer);
    if (state === "live" && fresh) {
      lostAt = null;
      show("live", "Live");
      return;
    }
    if (state === "idle") {
      lostAt = null;
      show("idle", "Nothing on this page is live");
      return;
    }
    lostAt ??= new Date();
    if (state !== "connecting" || Date.now() - lostAt >= GRACE_MS) {
      showStale();
      return;
    }
    show("reconnecting", "Connecting");
    timer = setTimeout(showStale, GRACE_MS);
  }

  onState((next) => {
    state = next;
    update();
  });
  onFreshness((next) => {
    fresh = next;
    update();
  });
  onSignedOut(() => location.reload());
  connect();
}
