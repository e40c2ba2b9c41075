// What an order would do, from the book as it is now: pure arithmetic, no page. The server decides;
// this only tells the person beforehand. Amounts are exact units of the decimal module.

import * as decimal from "decimal";
import { amount, brief } from "format";
import { kind, waitsForRise } from "order-kinds";

const MINOR_PLACES = 8;
const BASIS = 10_000n;
const PARTS_MOST = 100n;
const PRICE_FIELDS = {
  stopLimit: "stop_limit_price",
  takeProfit: "take_profit_price",
  stopLoss: "stop_loss_price",
  stopLossLimit: "stop_loss_limit_price",
};

/**
 * Takes from levels (best first) until the quantity or the money is used up or the limit is worse.
 * `budget` is without the fee. Gives {filled, spent}.
 */
function walk(levels, { quantity = null, budget = null, limit = null, buying, lot }) {
  let filled = decimal.ZERO;
  let spent = decimal.ZERO;
  for (const [price, available] of levels) {
    if (limit !== null && (buying ? price > limit : price < limit)) break;
    let take = available;
    if (quantity !== null) take = decimal.least(take, quantity - filled);
    if (budget !== null) {
      take = decimal.least(take, decimal.floorTo(decimal.divide(budget - spent, price), lot));
    }
    if (take <= decimal.ZERO) break;
    filled += take;
    spent += decimal.multiply(take, price);
  }
  return { filled, spent };
}

export function feeOf(notional, rate) {
  return decimal.multiplyUp(notional, rate, MINOR_PLACES);
}

/** The part of a budget that buys, when the fee comes out of the budget too. */
function withoutFee(budget, rate) {
  return decimal.divide(budget, decimal.ONE + rate);
}

/** What a limit buy of this size locks: its value, the highest fee, and one minor unit. */
export function reserve(quantity, price, rate) {
  const notional = decimal.multiply(quantity, price);
  return notional + feeOf(notional, rate) + decimal.ONE / 10n ** BigInt(MINOR_PLACES);
}

/** The largest quantity that `available` quote money can reserve at this price. */
export function mostAffordable(available, price, instrument) {
  if (price <= decimal.ZERO || available <= decimal.ZERO) return decimal.ZERO;
  const rate = decimal.most(instrument.takerFee, instrument.makerFee);
  const rough = decimal.divide(withoutFee(available, rate), price);
  let quantity = decimal.floorTo(rough, instrument.lot);
  while (quantity > decimal.ZERO && reserve(quantity, price, rate) > available) {
    quantity -= instrument.lot;
  }
  return decimal.least(quantity, instrument.maxQuantity || quantity);
}

/** How much worse than the best price the average is, in hundredths of a percent, exact. */
function slippageOf(average, best, buying) {
  if (!best || !average) return decimal.ZERO;
  const gap = buying ? average - best : best - average;
  return gap <= decimal.ZERO ? decimal.ZERO : (gap * BASIS) / best;
}

/**
 * What the order would do now. `order` is {side, type, price, stop, quantity, budget}, each amount
 * exact or null. Gives null while too little is known.
 */
export function estimate(order, instrument, book) {
  const buying = order.side === "buy";
  const levels = buying ? book.asks : book.bids;
  const best = levels.length ? levels[0][0] : null;
  if (kind(order.type).waits) return whenTriggered(order, instrument, best);
  const limit = kind(order.type).price ? order.price : null;
  if (kind(order.type).price && limit === null) return null;
  if (order.quantity === null && order.budget === null) return null;
  const budget = order.budget === null ? null : withoutFee(order.budget, instrument.takerFee);
  const now = walk(levels, {
    quantity: order.quantity,
    budget,
    limit,
    buying,
    lot: instrument.lot,
  });
  const resting =
    limit !== null && order.quantity !== null ? order.quantity - now.filled : decimal.ZERO;
  const restValue = resting ? decimal.multiply(resting, limit) : decimal.ZERO;
  const quantity = now.filled + resting;
  if (quantity <= decimal.ZERO) return { ...NOTHING, best, short: true };
  const notional = now.spent + restValue;
  const fee =
    feeOf(now.spent, instrument.takerFee) + (restValue ? feeOf(restValue, instrument.makerFee) : 0n);
  return {
    best,
    filledNow: now.filled,
    resting,
    quantity,
    notional,
    fee,
    average: decimal.divide(notional, quantity),
    slippageBasis: now.filled
      ? slippageOf(decimal.divide(now.spent, now.filled), best, buying)
      : decimal.ZERO,
    short: limit === null && order.quantity !== null && now.filled < order.quantity,
  };
}

/** Where a trailing stop stands at first: behind the last price, or behind where it begins. */
export function trailingStop(order, instrument) {
  const from = order.stop ?? order.last;
  if (!order.trail || !from) return null;
  const away =
    order.trail.units ??
    decimal.most(
      decimal.floorTo((from * order.trail.basis) / BASIS, instrument.tick),
      instrument.tick,
    );
  return order.side === "buy" ? from + away : from - away;
}

const NOTHING = {
  filledNow: 0n,
  resting: 0n,
  quantity: 0n,
  notional: 0n,
  fee: 0n,
  average: 0n,
  slippageBasis: 0n,
};

function whenTriggered(order, instrument, best) {
  const price = order.price ?? trailingStop(order, instrument) ?? order.stop;
  if (price === null || order.quantity === null) return null;
  const notional = decimal.multiply(order.quantity, price);
  return {
    best,
    filledNow: decimal.ZERO,
    resting: order.quantity,
    quantity: order.quantity,
    notional,
    fee: feeOf(notional, instrument.takerFee),
    average: price,
    slippageBasis: decimal.ZERO,
    short: false,
  };
}

/** What it comes to without the fee; of a pair only one order fills, and the dearer one counts. */
export function worthOf(order, expected) {
  if (order.budget) return order.budget;
  if (!expected) return decimal.ZERO;
  if (!kind(order.type).pair || !order.stop) return expected.notional;
  const other = decimal.multiply(order.quantity, order.stopLimit ?? order.stop);
  return decimal.most(expected.notional, other);
}

const words = (units, code) => `${brief(decimal.text(units))} ${code}`;

function priceProblem(name, value, instrument) {
  if (value === null) return null;
  if (value === decimal.ZERO) return { field: name, message: "A price is more than zero." };
  if (!decimal.isMultiple(value, instrument.tick)) {
    return { field: name, message: `Prices move in steps of ${instrument.tickText}.` };
  }
  return null;
}

function quantityProblem(order, instrument) {
  const { quantity } = order;
  if (quantity === null) return null;
  const about = (message) => ({ field: "quantity", message });
  if (quantity === decimal.ZERO) return about("An amount is more than zero.");
  if (!decimal.isMultiple(quantity, instrument.lot)) {
    return about(`Amounts move in steps of ${instrument.lotText} ${instrument.base}.`);
  }
  if (quantity < instrument.minQuantity) {
    return about(`At least ${decimal.text(instrument.minQuantity)} ${instrument.base}.`);
  }
  if (instrument.maxQuantity && quantity > instrument.maxQuantity) {
    return about(`At most ${words(instrument.maxQuantity, instrument.base)} in one order.`);
  }
  return null;
}

function valueProblem(order, instrument, expected) {
  const value = order.budget ?? expected?.notional ?? null;
  if (!value || !instrument.minNotional || value >= instrument.minNotional) return null;
  return {
    field: "quantity",
    message: `An order is worth at least ${words(instrument.minNotional, instrument.quote)}.`,
  };
}

function balanceProblem(order, instrument, expected, free) {
  if (!free) return null;
  const buying = order.side === "buy";
  const have = buying ? free.quote : free.base;
  const need = buying
    ? (order.budget ?? worthOf(order, expected) + (expected?.fee ?? decimal.ZERO))
    : (order.quantity ?? decimal.ZERO);
  if (need <= have) return null;
  const code = buying ? instrument.quote : instrument.base;
  return {
    field: "quantity",
    message: `This needs ${words(need, code)}; you have ${words(have, code)} available.`,
  };
}

/** A price that wakes an order is one that the market has yet to reach. */
function wakeProblem(order) {
  if (!order.stop || !order.last) return null;
  const rise = waitsForRise(order);
  if (rise ? order.stop > order.last : order.stop < order.last) return null;
  const where = rise ? "above" : "below";
  const last = amount(decimal.text(order.last));
  return { field: "stop_price", message: `Choose one ${where} the last price, ${last}.` };
}

/** The limit of a pair waits in the book, and the market is between it and the stop. */
function pairProblem(order, expected) {
  if (!kind(order.type).pair || !order.price) return null;
  const away = (price) => (order.side === "buy" ? order.price < price : order.price > price);
  const where = order.side === "buy" ? "below" : "above";
  const market = expected?.best ?? order.last;
  if (market && !away(market)) {
    const message = `Choose one ${where} ${amount(decimal.text(market))}: it waits in the book.`;
    return { field: "price", message };
  }
  if (!order.stop || away(order.stop)) return null;
  return { field: "price", message: `Choose one ${where} the stop.` };
}

/** Loss below the purchase, profit above it. */
function bracketProblems(order) {
  const entry = order.price ?? order.stop ?? order.last;
  if (!entry) return [];
  const found = [];
  if (order.takeProfit && order.takeProfit <= entry) {
    found.push({ field: "take_profit_price", message: "A profit is taken above what you pay." });
  }
  if (order.stopLoss && order.stopLoss >= entry) {
    found.push({ field: "stop_loss_price", message: "A loss is stopped below what you pay." });
  }
  if (order.stopLossLimit && !order.stopLoss) {
    found.push({ field: "stop_loss_price", message: "Say from which price on." });
  }
  return found;
}

function displayProblem(order, instrument) {
  const { display, quantity } = order;
  if (!display || quantity === null) return null;
  const about = (message) => ({ field: "display_quantity", message });
  if (!decimal.isMultiple(display, instrument.lot)) {
    return about(`Amounts move in steps of ${instrument.lotText} ${instrument.base}.`);
  }
  if (display >= quantity) return about("Show less than the whole amount.");
  if (display < instrument.minQuantity) {
    return about(`At least ${decimal.text(instrument.minQuantity)} ${instrument.base}.`);
  }
  if (quantity > display * PARTS_MOST) return about("The whole is at most 100 such parts.");
  return null;
}

function trailProblem(order, instrument) {
  if (!order.trail) return null;
  const { units, basis } = order.trail;
  const about = (message) => ({ field: "trail", message });
  if (units) return priceProblem("trail", units, instrument);
  if (basis < 1n || basis > 5000n) return about("Between 0.01 and 50 percent.");
  if (decimal.places(order.trail.text) > 2) return about("Percents have two decimals here.");
  return null;
}

/** What is wrong with the order, in words, at the field it is about; empty where nothing is. */
export function problems(order, instrument, expected, free) {
  return [
    priceProblem("price", order.price, instrument) ?? pairProblem(order, expected),
    priceProblem("stop_price", order.stop, instrument) ?? wakeProblem(order),
    ...["stopLimit", "takeProfit", "stopLoss", "stopLossLimit"].map((name) =>
      priceProblem(PRICE_FIELDS[name], order[name] ?? null, instrument),
    ),
    ...bracketProblems(order),
    displayProblem(order, instrument),
    trailProblem(order, instrument),
    quantityProblem(order, instrument) ??
      valueProblem(order, instrument, expected) ??
      balanceProblem(order, instrument, expected, free),
  ].filter(Boolean);
}
