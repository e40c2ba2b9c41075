// What orders have to do with each other: the purchase that an exit belongs to, the other one of
// two of which one fills. In words, and as the price that was paid.

import { account } from "account";
import { amount } from "format";
import { readOrder } from "orders";

const parents = new Map();

/** The order of one's own, where this page knows it; else it is asked for, and `tell` hears. */
function parentOf(order, tell) {
  const id = order.parent_order_id;
  const known = account.orders.get(id) ?? account.ended.find((each) => each.id === id);
  if (known) return known;
  if (!parents.has(id)) {
    parents.set(id, null);
    readOrder(id).then(
      (parent) => {
        parents.set(id, parent);
        tell();
      },
      // Without it there is one figure less; it is asked for again when the page is.
      () => {},
    );
  }
  return parents.get(id);
}

/** What one unit has cost, of what the order would sell; null where that is not known. */
export function paidFor(order, tell) {
  if (order.draft) return order.paid;
  if (order.parent_order_id) return parentOf(order, tell)?.average_price ?? null;
  return order.take_profit_price || order.stop_loss_price ? (order.price ?? order.stop_price) : null;
}

/** What somebody should know before changing or cancelling an order that is linked. */
export function linkLines(order, tell) {
  const lines = [];
  const [base] = order.market.split("-");
  if (order.parent_order_id) {
    const parent = parentOf(order, tell);
    const price = parent?.average_price ? ` at ${amount(parent.average_price)} on average` : "";
    lines.push(`It sells what order ${order.parent_order_id} has bought${price}.`);
  }
  if (order.pair_order_id) {
    const other = account.orders.get(order.pair_order_id);
    const price = other && (other.stop_price ?? other.price);
    const what = price
      ? `the order to ${other.side} ${amount(other.quantity)} ${base} at ${amount(price)}`
      : `order ${order.pair_order_id}`;
    lines.push(
      `It is linked with ${what}: what fills of one comes off the other, and when one ends, so ` +
        "does the other. So its amount cannot be changed.",
    );
  }
  return lines;
}
