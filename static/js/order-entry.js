// What stands in the order form, as exact amounts: reading it, turning units, taking a share of the
// funds. It writes into no element but the inputs it is asked to fill.

import { account } from "account";
import * as decimal from "decimal";
import { book, instrument, ticker } from "market";
import { kind } from "order-kinds";
import { mostAffordable } from "order-rules";

// Where exits are proposed at first, in basis points away from the price they start from.
const PROFIT_BASIS = 200n;
const LOSS_BASIS = 100n;
const BASIS = 10_000n;
const QUOTE_STEP = decimal.ONE / 10n ** BigInt(instrument?.quotePlaces ?? 0);

export class OrderEntry {
  constructor(form) {
    this.field = form.elements;
    // Fields that the person has typed in: nothing is proposed there any more.
    this.typed = new Set();
  }

  get type() {
    return this.field.type.value;
  }

  get buying() {
    return this.field.side.value === "buy";
  }

  get kind() {
    return kind(this.type);
  }

  get limited() {
    return Boolean(this.kind.price);
  }

  get stopped() {
    return Boolean(this.kind.stop);
  }

  /** Whether a purchase of this kind is to sell what it has bought by itself. */
  get bracketed() {
    return Boolean(this.kind.protects && this.buying && this.field.bracket?.checked);
  }

  /** The price of the last trade, null before there has been one. */
  get last() {
    return decimal.parse(ticker.now?.last ?? "");
  }

  /** Whether the book may be shown less than all of it. */
  get shown() {
    const force = this.field.time_in_force.value;
    return this.type === "limit" && (force === "gtc" || force === "gtd");
  }

  get byQuote() {
    return this.field.unit.value === "quote";
  }

  /** What can be spent now of both assets, or null while the account is not known yet. */
  free() {
    if (!account.ready) return null;
    const of = (asset) => decimal.parse(account.balances.get(asset)?.available ?? "0");
    return { base: of(instrument.base), quote: of(instrument.quote) };
  }

  /** The price that turns one unit into the other: the order's own, or the best in the book. */
  referencePrice() {
    const own = this.limited ? decimal.parseTyped(this.field.price.value) : null;
    if (own) return own;
    if (this.stopped) return this.amountOf("stop_price") ?? this.last;
    const best = this.buying ? book.asks[0] : book.bids[0];
    return best ? best[0] : null;
  }

  /** What stands in a field as an exact amount; null where that is none, or zero. */
  amountOf(name) {
    return decimal.parseTyped(this.field[name]?.value ?? "") || null;
  }

  /** How far the stop trails: {units} of the price, or {basis} points of it. */
  trail() {
    const typed = this.amountOf("trail");
    if (!typed) return null;
    if (this.field.trail_unit.value === "quote") return { units: typed };
    return { basis: (typed * 100n) / decimal.ONE, text: decimal.text(typed) };
  }

  /** The order: exact amounts, null where nothing usable is typed. */
  read() {
    const typed = decimal.parseTyped(this.field.amount.value);
    const given = (wanted, name) => (wanted ? this.amountOf(name) : null);
    const order = {
      side: this.field.side.value,
      type: this.type,
      price: this.limited ? decimal.parseTyped(this.field.price.value) : null,
      stop: this.stopped ? decimal.parseTyped(this.field.stop_price.value) : null,
      quantity: null,
      budget: null,
      last: this.last,
      timeInForce: this.kind.lasts ? this.field.time_in_force.value : "",
      expiresAt: this.field.expires_at.value,
      postOnly: this.type === "limit" && this.field.post_only.checked,
      trail: this.kind.trail ? this.trail() : null,
      display: given(this.shown && !this.bracketed, "display_quantity"),
      stopLimit: given(this.kind.pair, "stop_limit_price"),
      takeProfit: given(this.bracketed, "take_profit_price"),
      stopLoss: given(this.bracketed, "stop_loss_price"),
      stopLossLimit: given(this.bracketed, "stop_loss_limit_price"),
    };
    if (typed === null) return order;
    if (!this.byQuote) return { ...order, quantity: typed };
    // A market buy is sent as a budget; anything else as the quantity that is worth it. So is a
    // purchase with exits: they have to know how much there is to sell.
    if (this.type === "market" && this.buying && !this.bracketed) return { ...order, budget: typed };
    const price = this.referencePrice();
    if (price) order.quantity = decimal.floorTo(decimal.divide(typed, price), instrument.lot);
    return order;
  }

  /** The same amount in the unit that was just chosen. */
  changeUnit() {
    const price = this.referencePrice();
    const typed = decimal.parseTyped(this.field.amount.value);
    if (!price || !typed) return;
    const next = this.byQuote
      ? decimal.floorTo(decimal.multiply(typed, price), QUOTE_STEP)
      : decimal.floorTo(decimal.divide(typed, price), instrument.lot);
    this.field.amount.value = decimal.text(next);
  }

  /** Fill in so many percent of what is available, as an amount that the market takes. */
  takeShare(share) {
    const have = this.free();
    if (!have) return;
    const percent = BigInt(share);
    const { unit, amount } = this.field;
    if (!this.buying) {
      unit.value = "base";
      amount.value = decimal.text(decimal.floorTo((have.base * percent) / 100n, instrument.lot));
    } else if (this.type === "market") {
      unit.value = "quote";
      amount.value = decimal.text(decimal.floorTo((have.quote * percent) / 100n, QUOTE_STEP));
    } else {
      const price = this.referencePrice();
      if (!price) return;
      unit.value = "base";
      const most = mostAffordable((have.quote * percent) / 100n, price, instrument);
      amount.value = decimal.text(most);
    }
  }

  /** Prices that a pair or exits could begin with, where the person has not typed any. */
  propose() {
    const put = (name, from, basis) => {
      const input = this.field[name];
      if (this.typed.has(name) || !from || document.activeElement === input) return;
      const units = decimal.roundTo(from + (from * basis) / BASIS, instrument.tick);
      input.value = decimal.text(units, instrument.pricePlaces);
    };
    if (this.kind.pair) {
      const better = this.buying ? -1n : 1n;
      put("price", this.last, better * PROFIT_BASIS);
      put("stop_price", this.last, -better * LOSS_BASIS);
    } else if (this.bracketed) {
      put("take_profit_price", this.referencePrice(), PROFIT_BASIS);
      put("stop_loss_price", this.referencePrice(), -LOSS_BASIS);
    }
  }

  /** The prices that are worth a line in the chart, as an order of the API has them. */
  draft(order, expected) {
    if (!this.stopped && !this.bracketed) return null;
    const text = (units) => (units ? decimal.text(units, instrument.pricePlaces) : null);
    return {
      id: "draft",
      draft: true,
      side: order.side,
      type: order.type,
      quantity: order.quantity ? decimal.text(order.quantity) : null,
      price: text(order.price),
      stop_price: text(order.stop),
      stop_limit_price: text(order.stopLimit),
      take_profit_price: text(order.takeProfit),
      stop_loss_price: text(order.stopLoss),
      stop_loss_limit_price: text(order.stopLossLimit),
      paid: this.bracketed ? text(order.price ?? order.stop ?? (expected?.average || order.last)) : null,
    };
  }

  /** Move a price by whole ticks; an empty one starts at the best price. */
  nudge(input, ticks) {
    const value = decimal.parseTyped(input.value) ?? this.referencePrice() ?? decimal.ZERO;
    const moved = decimal.roundTo(value, instrument.tick) + instrument.tick * ticks;
    input.value = decimal.text(decimal.most(moved, instrument.tick), instrument.pricePlaces);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Which field has text that is no amount, as words; empty where it is fine. */
  unreadable(name) {
    const input = name === "quantity" ? this.field.amount : this.field[name];
    return input.value.trim() && decimal.parseTyped(input.value) === null
      ? "Write digits and a dot, such as 0.25."
      : "";
  }

  /** The first thing that is not said yet, as [field, words]. */
  missing(order) {
    if (this.limited && order.price === null) return ["price", "Say at which price."];
    if (this.kind.trail && !order.trail) return ["trail", "Say how far it stays behind."];
    if (this.stopped && !this.kind.trail && order.stop === null) {
      return ["stop_price", "Say at which price it starts."];
    }
    if (order.quantity === null && order.budget === null) return ["quantity", "Say how much."];
    if (order.timeInForce === "gtd" && !order.expiresAt) return ["expires_at", "Say until when."];
    if (this.bracketed && !order.takeProfit && !order.stopLoss) {
      return ["take_profit_price", "Say at which price, or take the exits off."];
    }
    return null;
  }

  /** What is sent to the exchange. */
  params(order, clientOrderId) {
    const sent = {
      market: instrument.symbol,
      side: order.side,
      self_trade_prevention: this.field.self_trade_prevention.value,
      client_order_id: clientOrderId,
    };
    const put = (name, units) => {
      if (units !== null) sent[name] = decimal.text(units);
    };
    if (!this.kind.pair) sent.type = order.type;
    put("quote_amount", order.budget);
    if (order.budget === null) put("quantity", order.quantity);
    put("price", order.price);
    put("stop_price", order.stop);
    put("stop_limit_price", order.stopLimit);
    put("display_quantity", order.display);
    put("take_profit_price", order.takeProfit);
    put("stop_loss_price", order.stopLoss);
    put("stop_loss_limit_price", order.stopLossLimit);
    if (order.trail?.units) put("trail_amount", order.trail.units);
    else if (order.trail) sent.trail_percent = order.trail.text;
    if (order.timeInForce) sent.time_in_force = order.timeInForce;
    if (order.timeInForce === "gtd") sent.expires_at = new Date(order.expiresAt).toISOString();
    if (order.postOnly) sent.post_only = true;
    return sent;
  }
}
