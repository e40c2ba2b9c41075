// Changing an open order: what the change does, in words, and sending it. Large orders are asked
// about once more, as new ones are.

import { noteOrder } from "account";
import { confirmed, isLarge } from "confirmation";
import * as decimal from "decimal";
import { amount } from "format";
import { instrument } from "market";
import { amend } from "orders";
import { toast } from "toast";

const NAMES = { price: "price", stop_price: "stop", quantity: "amount" };

/** The changes that change something: {price, stop_price, quantity} as text, exact. */
export function realChanges(order, typed) {
  const real = {};
  for (const [name, text] of Object.entries(typed)) {
    const units = decimal.parseTyped(text ?? "");
    if (units !== null && units !== decimal.parse(order[name])) real[name] = decimal.text(units);
  }
  return real;
}

function linesOf(order, changes) {
  const [base] = order.market.split("-");
  const what = `your order to ${order.side} ${amount(order.quantity)} ${base}`;
  const lines = Object.entries(changes).map(
    ([name, text]) =>
      `The ${NAMES[name]} of ${what} goes from ${amount(order[name])} to ${amount(text)}.`,
  );
  const less =
    !("price" in changes || "stop_price" in changes) &&
    decimal.parse(changes.quantity) < decimal.parse(order.quantity);
  lines.push(
    less
      ? "It keeps its place in the queue."
      : "It arrives anew: at the end of the queue, and it may trade at once.",
  );
  return lines;
}

/** Send the change; resolves to whether it was made, throws what the exchange refuses. */
export async function changeOrder(order, changes) {
  const price = decimal.parse(changes.price ?? changes.stop_price ?? order.price ?? order.stop_price);
  const quantity = decimal.parse(changes.quantity ?? order.quantity);
  if (order.market === instrument.symbol && isLarge(decimal.multiply(price, quantity))) {
    const asked = {
      title: "Change the order?",
      lines: linesOf(order, changes),
      button: "Change",
      side: order.side,
    };
    if (!(await confirmed(asked))) return false;
  }
  noteOrder(await amend(order.id, changes));
  const [[name, text]] = Object.entries(changes);
  toast(`Your order's ${NAMES[name]} is ${amount(text)} now.`, { kind: "good" });
  return true;
}
