// The signed-in person's account as the socket tells it: open orders, balances and fills.

import { followTopic } from "topics";

const id = document.documentElement.dataset.account || "";
const ENDED = new Set(["filled", "cancelled", "rejected", "expired"]);
const FILLS_KEPT = 50;
const ENDED_KEPT = 50;
const listeners = new Set();

/** `orders`: open ones by id. `ended`: those that ended while this page was open, newest first. */
export const account = {
  id,
  ready: false,
  stale: true,
  orders: new Map(),
  ended: [],
  balances: new Map(),
  fills: [],
};

export function signedIn() {
  return Boolean(id);
}

/** Hear of every change: listener(kind, data), kind is "snapshot", "delta", "local" or "stale". */
export function follow(listener) {
  if (!id) return;
  const first = listeners.size === 0;
  listeners.add(listener);
  if (first) start();
  else if (account.ready) listener("snapshot", {});
}

function tell(kind, data) {
  account.stale = kind === "stale";
  for (const listener of listeners) listener(kind, data);
}

function fold(data) {
  for (const order of data.orders ?? []) foldOrder(order);
  for (const balance of data.balances ?? []) foldBalance(balance);
  const known = new Set(account.fills.map((fill) => fill.id));
  const fresh = (data.fills ?? []).filter((fill) => !known.has(fill.id));
  account.fills = [...fresh.reverse(), ...account.fills].slice(0, FILLS_KEPT);
}

function foldOrder(order) {
  const known = account.orders.get(order.id);
  if (known && known.seq > order.seq) return;
  if (!ENDED.has(order.status)) {
    if (!account.ended.some((other) => other.id === order.id)) account.orders.set(order.id, order);
    return;
  }
  account.orders.delete(order.id);
  account.ended = [order, ...account.ended.filter((other) => other.id !== order.id)];
  account.ended.length = Math.min(account.ended.length, ENDED_KEPT);
}

function foldBalance(balance) {
  const known = account.balances.get(balance.asset);
  if (!known || known.seq <= balance.seq) account.balances.set(balance.asset, balance);
}

/** The answer to an order of this page is news too, and often faster than the topic. */
export function noteOrder(order) {
  foldOrder(order);
  tell("local", { orders: [order] });
}

function start() {
  followTopic(`account.${id}`, {
    snapshot(data) {
      account.orders.clear();
      account.balances.clear();
      account.fills = [];
      fold(data);
      account.ready = true;
      tell("snapshot", data);
    },
    delta(data) {
      fold(data);
      tell("delta", data);
    },
    stale() {
      tell("stale", {});
    },
  });
}
