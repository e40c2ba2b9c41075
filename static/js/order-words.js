// Orders and fills in words; the same rules as apps/trades/templatetags/orders.py.

import * as decimal from "decimal";
import { amount, brief, moment, trimmed } from "format";

const TYPES = {
  limit: "Limit",
  market: "Market",
  stop: "Stop",
  stop_limit: "Stop-limit",
  take_profit: "Take-profit",
  take_profit_limit: "Take-profit-limit",
  trailing_stop: "Trailing stop",
};
const TRIGGERS = { trailing_stop: "from", take_profit: "at", take_profit_limit: "at" };
const WAITS = new Set(Object.keys(TYPES).slice(2));
const FORCES = { ioc: "at once", fok: "all or nothing", gtd: "until a date" };
const STATUSES = {
  open: "Open",
  partially_filled: "Partly filled",
  filled: "Filled",
  cancelled: "Cancelled",
  rejected: "Refused",
  expired: "Expired",
};
const REASONS = {
  user: "by you",
  cancel_all: "by you",
  kill: "by the exchange",
  reduce_only: "you can only sell now",
  ioc: "rest not filled at once",
  fok: "not all at once",
  gtd: "date reached",
  self_trade: "own order in the way",
  band: "price too far away",
  budget: "amount used up",
  no_liquidity: "nobody left to trade with",
  leg_removed: "taken out of the block",
  block_amended: "less was asked for",
  not_submitted: "never sent to the market",
  pair: "a linked order ended",
};

const isZero = (text) => decimal.parse(text) === decimal.ZERO;
const side = (name) => (name === "sell" ? "Sell" : "Buy");

function typeWords(order) {
  const parts = [TYPES[order.type] ?? order.type];
  if (order.display_quantity) parts.push(`shows ${amount(order.display_quantity)}`);
  if (order.trail_amount) parts.push(`${amount(order.trail_amount)} behind`);
  if (order.trail_percent) parts.push(`${order.trail_percent}% behind`);
  if (order.stop_price) {
    parts.push(`${TRIGGERS[order.type] ?? "stop"} ${amount(order.stop_price)}`);
  }
  if (order.post_only && !order.pair_order_id) parts.push("post-only");
  if (order.block_id) parts.push(`in block ${order.block_id}`);
  if (order.take_profit_price) parts.push(`profit at ${amount(order.take_profit_price)}`);
  if (order.stop_loss_price) parts.push(`loss at ${amount(order.stop_loss_price)}`);
  if (order.time_in_force !== "gtc" && order.type !== "market") {
    parts.push(FORCES[order.time_in_force]);
  }
  return parts.join(" · ");
}

/** What an order is besides itself: an exit of a purchase, one of two of which one fills. */
export function linkWords(order) {
  const parts = [];
  if (order.parent_order_id) parts.push("exit");
  if (order.pair_order_id) parts.push("one of two");
  return parts.join(", ");
}

/** What cancelling it ends besides: the other of its pair, what is left of an open purchase. */
export function cancelWords(order, purchaseIsOpen) {
  const paired = Boolean(order.pair_order_id);
  if (purchaseIsOpen) {
    return {
      button: paired ? "Cancel all 3" : "Cancel both",
      what: paired ? "both exits and the rest of their purchase" : "the exit and the rest of its purchase",
      done: `${paired ? "Both exits are" : "The exit is"} cancelled, and so is what was left of the purchase.`,
    };
  }
  return paired
    ? { button: "Cancel both", what: "", done: "Both orders are cancelled: they were linked." }
    : { button: "Cancel", what: "", done: "The order is cancelled." };
}

function filledShare(order) {
  const [part, whole] = order.quantity
    ? [order.filled_quantity, order.quantity]
    : [order.filled_quote, order.quote_amount];
  if (!whole) return "–";
  return `${(decimal.parse(part) * 100n) / decimal.parse(whole)}%`;
}

function value(order) {
  if (order.quote_amount) return brief(order.quote_amount);
  const price = order.price || order.stop_price;
  if (!price || !order.quantity) return "–";
  const product = decimal.multiply(decimal.parse(price), decimal.parse(order.quantity));
  return brief(decimal.text(product));
}

export function statusWords(order) {
  const words = STATUSES[order.status] ?? order.status;
  const reason = order.status === "filled" ? "" : (REASONS[order.reason] ?? "");
  return reason ? `${words}, ${reason}` : words;
}

/** The cells of an order's row, by data-field. */
export function orderCells(order, at) {
  return {
    time: moment(at),
    market: order.market,
    side: side(order.side),
    type: typeWords(order).toLowerCase(),
    link: linkWords(order),
    price: order.price ? amount(order.price) : "Market",
    amount: order.quantity ? amount(order.quantity) : "–",
    filled: filledShare(order),
    value: value(order),
    average: order.average_price ? brief(order.average_price) : "–",
    filled_of:
      amount(order.filled_quantity) + (order.quantity ? ` / ${amount(order.quantity)}` : ""),
    filled_quote: isZero(order.filled_quote) ? "–" : brief(order.filled_quote),
    fee: isZero(order.fee) ? "–" : `${brief(order.fee)} ${order.fee_asset}`,
    status: statusWords(order),
  };
}

export function fillCells(fill) {
  return {
    time: moment(fill.at),
    market: fill.market,
    side: side(fill.side),
    price: amount(fill.price),
    amount: amount(fill.quantity),
    value: brief(fill.quote_amount),
    fee: `${brief(fill.fee)} ${fill.fee_asset}`,
    role: fill.role === "maker" ? "Maker" : "Taker",
  };
}

export function balanceCells(balance) {
  return {
    asset: balance.asset,
    available: trimmed(balance.available),
    held: trimmed(balance.held),
    total: trimmed(balance.total),
  };
}

/** One sentence for a result: "Bought 0.01 BTC at 64,231.50 USDT"; of a pair, for both orders. */
export function resultWords(order, other = null) {
  const [base, quote] = order.market.split("-");
  const verb = order.side === "buy" ? ["Bought", "Buy order"] : ["Sold", "Sell order"];
  const filled = !isZero(order.filled_quantity);
  if (order.status === "open" && other?.status === "open") {
    const prices = `${amount(order.price)} or ${amount(other.stop_price ?? other.price)}`;
    return `${verb[1]} for ${amount(order.quantity)} ${base} waits at ${prices}, whichever comes first.`;
  }
  if (order.status === "open") {
    const waits = WAITS.has(order.type) ? "waits for its price" : "is in the book";
    return `${verb[1]} for ${amount(order.quantity)} ${base} ${waits}.`;
  }
  if (!filled) return `${verb[1]}: ${statusWords(order).toLowerCase()}. Nothing was traded.`;
  const done = `${verb[0]} ${amount(order.filled_quantity)} ${base} at ${brief(order.average_price)} ${quote}`;
  if (order.status === "filled") return `${done}.`;
  if (order.status === "partially_filled") return `${done}; the rest is in the book.`;
  return `${done}; ${statusWords(order).toLowerCase()}.`;
}
