// The signed-in person's account as the socket tells it: open orders, balances and fills.

import { followTopic } from "topics";

const id = document.documentElement.dataset.account || "";
const ENDED = new Set(["filled", "cancelled", "rejected", "expired"]);
const FILLS_KEPT = 50;
const ENDED_KEPT = 50;
const listeners = new Set();

/**
 * `orders`: open ones by id, all of them once `listed`. `ended`: as many of those that ended as are
 * known, last one first.
 */
export const account = {
  id,
  ready: false,
  listed: false,
  stale: true,
  orders: new Map(),
  ended: [],
  balances: new Map(),
  fills: [],
};

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

function lastEndedFirst(a, b) {
  return b.seq - a.seq || newestFirst(a, b);
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
  const others = account.ended.filter((other) => other.id !== order.id);
  account.ended = [order, ...others].sort(lastEndedFirst).slice(0, ENDED_KEPT);
}

function foldBalance(balance) {
  const known = account.balances.get(balance.asset);
  if (!known || known.seq <= balance.seq) account.balances.set(balance.asset, balance);
}

/** The answer to an order of this page is news too, and often faster than the topic. */
export function noteOrder(order) {
  foldOrder(order);
  tell("local", { orders: [order] });
  if (!account.listed) listOpen().catch(console.warn);
}

/** Where the topic has said nothing yet, the orders beside the one that was noted are asked for. */
async function listOpen() {
  for (const order of await readOrders("status=open&limit=200")) foldOrder(order);
  account.listed = true;
  tell("local", {});
}

async function readOrders(query) {
  const headers = { Accept: "application/json" };
  const response = await fetch(`/api/v1/orders?${query}`, { headers });
  if (!response.ok) throw new Error(`Orders did not come: ${response.status}`);
  return (await response.json()).items;
}

// Whether orders may have ended without a word while the connection was down.
let missed = false;

/** Orders that have ended are in no snapshot: they are asked for when they are wanted. */
export async function loadEnded() {
  const items = await readOrders("limit=50");
  for (const order of items) if (ENDED.has(order.status)) foldOrder(order);
  tell("local", {});
}

function start() {
  followTopic(`account.${id}`, {
    snapshot(data) {
      if (missed) loadEnded().then(() => (missed = false), console.warn);
      account.orders.clear();
      account.balances.clear();
      account.fills = [];
      fold(data);
      account.ready = account.listed = true;
      tell("snapshot", data);
    },
    delta(data) {
      fold(data);
      tell("delta", data);
    },
    stale() {
      missed = account.ready;
      tell("stale", {});
    },
  });
}
