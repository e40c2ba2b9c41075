// A sound when an order of one's own fills; off unless it has been switched on.

import { account, follow } from "account";
import { setting } from "settings";

const ring = () => import("sound").then(({ chime }) => chime(), reportError);

export default function fillSound() {
  let heard = null;

  follow((kind) => {
    if (!account.ready) return;
    const newest = account.fills[0]?.id ?? "";
    const fresh = kind === "delta" && heard !== null && newest !== heard;
    heard = newest;
    if (fresh && setting("sound") === "on") ring();
  });
}
