// The signed-in person's account as the socket tells it: open orders, balances and fills.

import { followTopic } from "topics";

const id = document.documentElement.dataset.account || "";
const ENDED = new Set(["filled", "cancelled", "rejected", "expired"]);
const FILLS_KEPT = 50;
const LOST_MARGIN_MS = 10_000;
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
  const fills = new Map([...(data.fills ?? []), ...account.fills].map((fill) => [fill.id, fill]));
  account.fills = [...fills.values()].sort(newestFirst).slice(0, FILLS_KEPT);
}

/** Ids count up, so that they tell the order in which things happened. */
function newestFirst(a, b) {
  return BigInt(a.id) < BigInt(b.id) ? 1 : -1;
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

/** Orders that ended while the connection was down are in no snapshot: they are asked for. */
async function catchUp() {
  const response = await fetch("/api/v1/orders?limit=50", { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const { items } = await response.json();
  const ended = items.filter((order) => ENDED.has(order.status) && order.updated_at > lostAt);
  for (const order of ended.reverse()) foldOrder(order);
  if (ended.length) tell("local", { orders: ended });
}

let lostAt = "";

function start() {
  followTopic(`account.${id}`, {
    snapshot(data) {
      if (lostAt) catchUp().finally(() => (lostAt = ""));
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
      // A little before now: what ended in the last moments may not have been told either.
      lostAt ||= new Date(Date.now() - LOST_MARGIN_MS).toISOString();
      tell("stale", {});
    },
  });
}
