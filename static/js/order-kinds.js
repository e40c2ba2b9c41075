// Which kinds of order there are and what each asks for. "oco" is the form's own name for a pair.

const KINDS = {
  limit: { price: true, lasts: true, protects: true },
  market: { protects: true },
  stop: { stop: true, waits: true, protects: true },
  stop_limit: { stop: true, price: true, waits: true, lasts: true, protects: true },
  take_profit: { stop: true, waits: true, profit: true },
  take_profit_limit: { stop: true, price: true, waits: true, lasts: true, profit: true },
  trailing_stop: { stop: true, waits: true, trail: true },
  oco: { stop: true, price: true, pair: true },
};

/**
 * price: it has a limit. stop: a price that wakes it. waits: nothing of it is in the book before
 * that. profit: it waits for a better price, not a worse one. trail: its stop moves. lasts: how
 * long it stays can be chosen. protects: a purchase of this kind can carry its own exits.
 */
export function kind(type) {
  return KINDS[type] ?? KINDS.limit;
}

/** Whether the last price has to rise to wake it. */
export function waitsForRise(order) {
  const { profit, trail } = kind(order.type);
  return (order.side === "buy") !== Boolean(profit || trail);
}
