// What the signed-in person is told, as the socket tells it: the newest notices and the unread count.

import { followTopic } from "topics";

const id = document.documentElement.dataset.person || "";
const KEPT = 20;
const listeners = new Set();
let rows = null;
let unread = 0;

/** Hear of every change: listener({unread, notices, changed}). `changed` is null with all of them. */
export function followNotices(listener) {
  if (!id) return;
  const first = listeners.size === 0;
  listeners.add(listener);
  if (first) followTopic(`user.${id}`, { snapshot, delta });
  else if (rows) listener({ unread, notices: rows, changed: null });
}

function snapshot(data) {
  rows = data.notices;
  unread = data.unread;
  tell(null);
}

function delta(data) {
  const changed = new Map(data.notices.map((notice) => [notice.id, notice]));
  if (data.read) {
    for (const row of rows) {
      if (row.read_at || BigInt(row.id) > BigInt(data.read.up_to)) continue;
      changed.set(row.id, { ...row, read_at: data.read.at });
    }
  }
  const all = new Map([...rows.map((row) => [row.id, row]), ...changed]);
  const newestFirst = (a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1);
  rows = [...all.values()].sort(newestFirst).slice(0, KEPT);
  unread = data.unread;
  tell([...changed.values()]);
}

function tell(changed) {
  for (const listener of listeners) listener({ unread, notices: rows, changed });
}
