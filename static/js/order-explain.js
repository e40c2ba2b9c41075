// What an order will do, in sentences with its numbers in them. The same sentences stand under the
// form while it is filled in and in the dialog that asks once more. No page, no state.

import * as decimal from "decimal";
import { amount, fixed, trimmed } from "format";
import { kind, waitsForRise } from "order-kinds";
import { trailingStop } from "order-rules";

const text = (units, least = 0) => amount(decimal.text(units, least));

/** How this market writes prices and amounts. */
export function writer(instrument) {
  const { base, quote, quotePlaces } = instrument;
  const money = (units) => {
    const shown = fixed(decimal.text(units), quotePlaces);
    return `${quotePlaces > 2 ? trimmed(shown) : shown} ${quote}`;
  };
  return {
    price: (units) => text(units, instrument.pricePlaces),
    amount: (units) => `${text(units)} ${base}`,
    money,
  };
}

const VERBS = {
  buy: { does: "Buys", to: "buy", done: "bought" },
  sell: { does: "Sells", to: "sell", done: "sold" },
};

/** Which way the last price must go to set the order off, as words. */
function reaching(order, write) {
  const price = write.price(order.stop);
  return waitsForRise(order) ? `rises to ${price} or above` : `falls to ${price} or below`;
}

function quantityWords(order, write) {
  if (order.budget) return `for ${write.money(order.budget)}, fee included`;
  return order.quantity ? write.amount(order.quantity) : "the amount";
}

function bound(order, write) {
  const price = write.price(order.price);
  return order.side === "buy" ? `${price} or lower` : `${price} or higher`;
}

function howLong(order) {
  if (order.timeInForce === "gtd" && order.expiresAt) {
    const until = new Date(order.expiresAt);
    return Number.isNaN(until.getTime()) ? "" : ` until ${until.toLocaleString()}`;
  }
  return " until it fills or you cancel it";
}

function limitWords(order, expected, write) {
  const { does } = VERBS[order.side];
  const lines = [`${does} ${quantityWords(order, write)} at ${bound(order, write)}.`];
  if (order.timeInForce === "fok") return [...lines, "All of it trades at once, or none of it."];
  const now = expected?.filledNow ?? decimal.ZERO;
  const rest = expected?.resting ?? decimal.ZERO;
  if (order.postOnly) {
    lines.push("If any of it would trade at once, all of it is refused.");
  } else if (now) {
    lines.push(`As the book is now, ${write.amount(now)} of it trades at once.`);
  }
  if (order.timeInForce === "ioc") lines.push("What does not trade at once is cancelled.");
  else if (rest) {
    const part = now && !order.postOnly ? `The rest, ${write.amount(rest)},` : "It";
    lines.push(`${part} waits in the book${howLong(order)}.`);
  }
  return lines;
}

function marketWords(order, expected, write) {
  const { does } = VERBS[order.side];
  const lines = [`${does} ${quantityWords(order, write)} at once, at the best prices in the book.`];
  if (expected?.quantity) {
    const { average, slippageBasis } = expected;
    const worse = `${slippageBasis / 100n}.${String(slippageBasis % 100n).padStart(2, "0")}%`;
    lines.push(`As it is now that is ${write.price(average)} on average, ${worse} off the best.`);
  }
  return lines;
}

function stopWords(order, write) {
  const { done, to } = VERBS[order.side];
  const when = `If the last trade ${reaching(order, write)}`;
  if (order.price === null) {
    const worse = order.side === "buy" ? "above" : "below";
    return [
      `${when}, ${quantityWords(order, write)} is ${done} at once at the best prices then.`,
      `The price you get may be ${worse} ${write.price(order.stop)}.`,
    ];
  }
  return [
    `${when}, an order to ${to} ${quantityWords(order, write)} at ${bound(order, write)} is placed.`,
    "If the market runs past that price first, it waits in the book and may not fill.",
  ];
}

function trailWords(order, write, instrument) {
  const { done } = VERBS[order.side];
  const [best, turns] = order.side === "buy" ? ["lowest", "rises"] : ["highest", "falls"];
  const { units, text: percent } = order.trail;
  const away = units ? write.money(units) : `${percent}%`;
  const start = trailingStop(order, instrument);
  const lines = [];
  if (order.stop) lines.push(`It begins when the last trade ${reaching(order, write)}.`);
  const now = start && !order.stop ? `, now at ${write.price(start)}` : "";
  lines.push(`The stop follows the ${best} trade, ${away} behind${now}, and never moves back.`);
  lines.push(
    `When the last trade ${turns} to it, ${quantityWords(order, write)} is ${done} at once at the ` +
      "best prices then.",
  );
  return lines;
}

function pairWords(order, write) {
  const stop = { ...order, type: "stop", price: order.stopLimit };
  const { to } = VERBS[order.side];
  const lines = [
    `An order to ${to} ${quantityWords(order, write)} at ${bound(order, write)} waits in the book.`,
    ...stopWords(stop, write).slice(0, 1),
    "What fills of one comes off the other; when one ends, so does the other.",
  ];
  if (order.quantity) {
    const worth = (price) => write.money(decimal.multiply(price, order.quantity));
    const either = [worth(order.price), worth(order.stopLimit ?? order.stop)].join(" or about ");
    const name = order.side === "buy" ? "It costs" : "You get";
    lines.push(`${name} about ${either}, before fees; your balance is set aside for one of them.`);
  }
  return lines;
}

function displayWords(order, write) {
  if (!order.display) return [];
  return [
    `The book shows ${write.amount(order.display)} of it at a time; each next part goes to the ` +
      "end of the queue.",
  ];
}

/** What the exits of a purchase do, and about what they would make of it. */
function bracketWords(order, expected, write) {
  const { takeProfit, stopLoss, stopLossLimit } = order;
  if (!takeProfit && !stopLoss) return [];
  const lines = [];
  if (takeProfit) lines.push(`What it has bought is sold at ${write.price(takeProfit)} or higher.`);
  if (stopLoss) {
    const how = stopLossLimit
      ? `an order to sell it at ${write.price(stopLossLimit)} or higher is placed`
      : "it is sold at once at the best prices then";
    const begins = takeProfit ? "Or, if" : "If";
    lines.push(`${begins} the last trade falls to ${write.price(stopLoss)} or below, ${how}.`);
  }
  if (takeProfit && stopLoss) lines.push("Whichever comes first ends the other.");
  const made = (price) => decimal.multiply(price - expected.average, expected.quantity);
  if (expected?.quantity) {
    const parts = [];
    if (takeProfit) parts.push(`about ${write.money(made(takeProfit))} gained`);
    if (stopLoss) parts.push(`about ${write.money(-made(stopLossLimit ?? stopLoss))} lost`);
    lines.push(`That is ${parts.join(", or ")}, before fees.`);
  }
  return lines;
}

function costWords(order, expected, write) {
  if (!expected?.notional || kind(order.type).pair) return [];
  const { notional, fee } = expected;
  const [name, total] =
    order.side === "buy" ? ["In all", notional + fee] : ["You get", notional - fee];
  return [`${name} about ${write.money(total)}, of which the fee is ${write.money(fee)}.`];
}

function mainWords(order, expected, write, instrument) {
  const { waits, trail, pair } = kind(order.type);
  if (order.type === "market") return marketWords(order, expected, write);
  if (trail) return order.trail ? trailWords(order, write, instrument) : [];
  if (pair) return order.price && order.stop ? pairWords(order, write) : [];
  if (waits) return order.stop ? stopWords(order, write) : [];
  return order.price ? limitWords(order, expected, write) : [];
}

/** The order in sentences. `order` is what the form reads, `expected` what the book says of it. */
export function explain(order, expected, instrument) {
  const write = writer(instrument);
  const lines = mainWords(order, expected, write, instrument);
  if (!lines.length) return [];
  return [
    ...lines,
    ...displayWords(order, write),
    ...bracketWords(order, expected, write),
    ...costWords(order, expected, write),
  ];
}

/** What the form says while it is filled in: only what is not plain to see there. */
export function explainUnusual(order, expected, instrument) {
  const write = writer(instrument);
  const plain = order.type === "limit" || order.type === "market";
  return [
    ...(plain ? [] : mainWords(order, expected, write, instrument)),
    ...displayWords(order, write),
    ...bracketWords(order, expected, write),
  ];
}
