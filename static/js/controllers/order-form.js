// The order form: what it would do now, what is wrong with it, and sending it once. One intent has
// one client_order_id; it changes when the order's terms change or when it is done.

import { account, follow, noteOrder } from "account";
import * as decimal from "decimal";
import { amount, fixed, trimmed } from "format";
import { book, instrument } from "market";
import { newIntent, place } from "orders";
import { estimate, mostAffordable, problems } from "order-rules";
import { resultWords } from "order-words";
import { painter, TEXT_PER_SECOND } from "paint";
import { toast } from "toast";

const FIELD_OF_CODE = {
  tick_size: "price",
  invalid_price: "price",
  price_band: "price",
  post_only_would_take: "price",
  would_trigger: "stop_price",
  lot_size: "quantity",
  invalid_quantity: "quantity",
  min_quantity: "quantity",
  max_quantity: "quantity",
  min_notional: "quantity",
  max_notional: "quantity",
  insufficient_balance: "quantity",
  invalid_time: "expires_at",
};
const DIGITS = /^\d*\.?\d*$/;
const QUOTE_SHOWN = 2;

export default function orderForm(form) {
  const field = form.elements;
  const part = (name) => form.querySelector(`[data-${name}]`);
  const submit = part("submit");
  const touched = new Set();
  let intent = newIntent();
  let busy = false;

  const side = () => field.side.value;
  const type = () => field.type.value;
  const buying = () => side() === "buy";
  const limited = () => type() === "limit" || type() === "stop_limit";
  const stopped = () => type().startsWith("stop");
  const byQuote = () => field.unit.value === "quote";

  function free() {
    if (!account.ready) return null;
    const of = (asset) => decimal.parse(account.balances.get(asset)?.available ?? "0");
    return { base: of(instrument.base), quote: of(instrument.quote) };
  }

  /** The price that turns one unit into the other: the order's own, or the best in the book. */
  function referencePrice() {
    const own = limited() ? decimal.parseTyped(field.price.value) : null;
    if (own) return own;
    if (type() === "stop") return decimal.parseTyped(field.stop_price.value);
    const best = buying() ? book.asks[0] : book.bids[0];
    return best ? best[0] : null;
  }

  /** The order as it stands in the form: exact amounts, null where nothing usable is typed. */
  function read() {
    const typed = decimal.parseTyped(field.amount.value);
    const order = {
      side: side(),
      type: type(),
      price: limited() ? decimal.parseTyped(field.price.value) : null,
      stop: stopped() ? decimal.parseTyped(field.stop_price.value) : null,
      quantity: null,
      budget: null,
    };
    if (typed === null) return order;
    if (!byQuote()) return { ...order, quantity: typed };
    if (type() === "market") return { ...order, ...marketByQuote(typed) };
    const price = referencePrice();
    if (price) order.quantity = decimal.floorTo(decimal.divide(typed, price), instrument.lot);
    return order;
  }

  /** A market buy can be sent as a budget; a sale is sent as the quantity that is worth it now. */
  function marketByQuote(value) {
    if (buying()) return { budget: value };
    const best = book.bids[0]?.[0];
    if (!best) return {};
    return { quantity: decimal.floorTo(decimal.divide(value, best), instrument.lot) };
  }

  const inBase = (units) => `${amount(decimal.text(units))} ${instrument.base}`;
  const inQuote = (units) => `${fixed(decimal.text(units), QUOTE_SHOWN)} ${instrument.quote}`;

  const refresh = painter(() => {
    const order = read();
    const expected = estimate(order, instrument, book);
    drawEstimate(order, expected);
    drawFree();
    drawWords(order);
    drawProblems(order, expected);
  }, TEXT_PER_SECOND);

  function set(name, text) {
    const cell = part(name);
    if (cell.textContent !== text) cell.textContent = text;
  }

  function drawEstimate(order, expected) {
    const known = expected && expected.quantity > decimal.ZERO;
    const price = known ? decimal.roundTo(expected.average, instrument.tick) : null;
    set("average", known ? amount(decimal.text(price, instrument.pricePlaces)) : "–");
    const basis = known ? expected.slippageBasis : decimal.ZERO;
    set("slippage", known ? `${basis / 100n}.${String(basis % 100n).padStart(2, "0")}%` : "–");
    set("fee", known ? amount(decimal.text(decimal.roundTo(expected.fee, feeStep))) : "–");
    if (!known) {
      set("total", "–");
      set("after-base", "–");
      set("after-quote", "–");
    } else {
      const total = buying() ? expected.notional + expected.fee : expected.notional - expected.fee;
      set("total", inQuote(total));
      drawAfter(expected, total);
    }
    const other = order.quantity !== null && byQuote() ? `≈ ${inBase(order.quantity)}` : "";
    const value = known && !byQuote() ? `≈ ${inQuote(expected.notional)}` : "";
    const short = expected?.short ? " The book has not enough for all of it." : "";
    set("other-unit", `${other || value}${short}`);
  }

  const feeStep = decimal.ONE / 10_000n;

  function drawAfter(expected, total) {
    const have = free();
    if (!have) return;
    const sign = buying() ? 1n : -1n;
    const base = account.balances.get(instrument.base);
    const quote = account.balances.get(instrument.quote);
    const all = (balance) => decimal.parse(balance?.total ?? "0");
    const baseAfter = all(base) + sign * expected.quantity;
    const quoteAfter = all(quote) - sign * total;
    set("after-base", baseAfter < 0n ? "not enough" : amount(decimal.text(baseAfter)));
    set("after-quote", quoteAfter < 0n ? "not enough" : fixed(decimal.text(quoteAfter), QUOTE_SHOWN));
  }

  function drawFree() {
    const have = free();
    if (!have) return;
    set("free", buying() ? inQuote(have.quote) : `${trimmed(decimal.text(have.base))} ${instrument.base}`);
  }

  /** The button says what it will do. */
  function drawWords(order) {
    if (!submit || busy) return;
    const verb = buying() ? "Buy" : "Sell";
    let what = instrument.base;
    if (order.budget) what = `${instrument.base} for ${amount(decimal.text(order.budget))} ${instrument.quote}`;
    else if (order.quantity) what = inBase(order.quantity);
    const when = stopped() ? " at the stop" : "";
    submit.textContent = `${verb} ${what}${when}`;
    submit.classList.toggle("button--buy", buying());
    submit.classList.toggle("button--sell", !buying());
  }

  function fieldBox(name) {
    return form.querySelector(`[data-field-of="${name}"]`);
  }

  function say(name, message) {
    const box = fieldBox(name);
    if (!box) return;
    const line = box.querySelector("[data-error]");
    if (line.textContent !== message) line.textContent = message;
    box.toggleAttribute("data-invalid", Boolean(message));
    const input = box.querySelector("input");
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  function unreadable(name) {
    const input = name === "quantity" ? field.amount : field[name];
    return input.value.trim() && decimal.parseTyped(input.value) === null
      ? "Write digits and a dot, such as 0.25."
      : "";
  }

  /** Problems show at fields that have been touched; all of them once the form was sent. */
  function drawProblems(order, expected, all = false) {
    const found = new Map();
    for (const { field: name, message } of problems(order, instrument, expected, free())) {
      if (!found.has(name)) found.set(name, message);
    }
    for (const name of ["price", "stop_price", "quantity"]) {
      const shown = all || touched.has(name);
      const message = unreadable(name) || (found.get(name) ?? "");
      if (form.dataset[`refused_${name}`]) continue;
      say(name, shown ? message : "");
    }
    return found;
  }

  function missing(order) {
    if (limited() && order.price === null) return ["price", "Say at which price."];
    if (stopped() && order.stop === null) return ["stop_price", "Say at which price it starts."];
    if (order.quantity === null && order.budget === null) return ["quantity", "Say how much."];
    if (limited() && field.time_in_force.value === "gtd" && !field.expires_at.value) {
      return ["expires_at", "Say until when."];
    }
    return null;
  }

  function message(text) {
    const box = part("message");
    box.replaceChildren();
    if (!text) return;
    const notice = part("notice").content.firstElementChild.cloneNode(true);
    notice.querySelector("[data-text]").textContent = text;
    box.append(notice);
  }

  function clearRefusal() {
    for (const name of Object.keys(form.dataset)) {
      if (name.startsWith("refused_")) delete form.dataset[name];
    }
    say("expires_at", "");
    message("");
  }

  function refuse(error) {
    const name = error.field || FIELD_OF_CODE[error.code] || "";
    const target = name === "quote_amount" || name === "amount" ? "quantity" : name;
    if (target && fieldBox(target)) {
      form.dataset[`refused_${target}`] = "yes";
      say(target, error.message);
      fieldBox(target).querySelector("input").focus();
    } else {
      message(error.message);
    }
  }

  function params(order) {
    const sent = {
      market: instrument.symbol,
      side: order.side,
      type: order.type,
      self_trade_prevention: field.self_trade_prevention.value,
      client_order_id: intent,
    };
    if (order.budget !== null) sent.quote_amount = decimal.text(order.budget);
    else sent.quantity = decimal.text(order.quantity);
    if (order.price !== null) sent.price = decimal.text(order.price);
    if (order.stop !== null) sent.stop_price = decimal.text(order.stop);
    if (limited()) {
      sent.time_in_force = field.time_in_force.value;
      if (sent.time_in_force === "gtd") sent.expires_at = new Date(field.expires_at.value).toISOString();
    }
    if (type() === "limit" && field.post_only.checked) sent.post_only = true;
    return sent;
  }

  async function send() {
    const order = read();
    const expected = estimate(order, instrument, book);
    clearRefusal();
    const found = drawProblems(order, expected, true);
    const gap = missing(order);
    if (gap) say(...gap);
    const first = gap?.[0] ?? [...found.keys()][0] ?? ["price", "stop_price", "quantity"].find(unreadable);
    if (first) {
      fieldBox(first)?.querySelector("input").focus();
      return;
    }
    setBusy(true);
    try {
      const placed = await place(params(order));
      noteOrder(placed);
      toast(resultWords(placed), { kind: placed.status === "cancelled" ? "plain" : "good" });
      finish();
    } catch (error) {
      refuse(error);
      if (error.code === "id_reused") intent = newIntent();
    } finally {
      setBusy(false);
      refresh();
    }
  }

  function finish() {
    intent = newIntent();
    field.amount.value = "";
    part("slider").querySelector("input").value = "0";
    drawShare("0");
    touched.clear();
    form.dispatchEvent(new CustomEvent("ordered", { bubbles: true }));
  }

  function setBusy(on) {
    busy = on;
    if (!submit) return;
    submit.setAttribute("aria-busy", String(on));
    if (on) submit.textContent = "Sending …";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // Not by `disabled`: the button keeps the focus, and a second press simply does nothing.
    if (busy || !submit) return;
    send();
  });

  // Any change of the terms is a new intent: the same id never stands for two different orders.
  form.addEventListener("input", (event) => {
    if (busy) return;
    intent = newIntent();
    clearRefusal();
    const name = event.target.closest("[data-field-of]")?.dataset.fieldOf;
    if (name) touched.add(name);
    if (event.target.inputMode === "decimal") clean(event.target);
    refresh();
  });
  form.addEventListener("change", () => {
    clearRefusal();
    refresh();
  });

  function clean(input) {
    const kept = input.value.replaceAll(/[\s,]/g, "");
    if (kept !== input.value && DIGITS.test(kept)) input.value = kept;
  }

  function nudge(input, ticks) {
    const value = decimal.parseTyped(input.value) ?? referencePrice() ?? decimal.ZERO;
    const next = decimal.most(decimal.roundTo(value, instrument.tick) + instrument.tick * ticks, instrument.tick);
    input.value = decimal.text(next, instrument.pricePlaces);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  for (const input of [field.price, field.stop_price]) {
    input.addEventListener("keydown", (event) => {
      const ticks = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
      if (!ticks) return;
      event.preventDefault();
      nudge(input, event.shiftKey ? ticks * 10n : ticks);
    });
  }
  for (const button of form.querySelectorAll("[data-nudge]")) {
    button.addEventListener("click", () => nudge(field.price, BigInt(button.dataset.nudge)));
  }

  function drawShare(share) {
    const range = part("slider").querySelector("input");
    range.setAttribute("aria-valuetext", `${share} %`);
    range.style.setProperty("--share", `${share}%`);
  }

  /** Part of what is available, as an amount that the market takes. */
  function takeShare(share) {
    const have = free();
    drawShare(share);
    if (!have) return;
    const percent = BigInt(share);
    if (!buying()) {
      field.unit.value = "base";
      const quantity = decimal.floorTo((have.base * percent) / 100n, instrument.lot);
      field.amount.value = decimal.text(quantity);
    } else if (type() === "market") {
      field.unit.value = "quote";
      const cents = decimal.ONE / 100n;
      field.amount.value = decimal.text(decimal.floorTo((have.quote * percent) / 100n, cents));
    } else {
      const price = referencePrice();
      if (!price) return;
      field.unit.value = "base";
      const quantity = mostAffordable((have.quote * percent) / 100n, price, instrument);
      field.amount.value = decimal.text(quantity);
    }
    intent = newIntent();
    clearRefusal();
    touched.add("quantity");
    refresh();
  }

  part("slider").addEventListener("input", (event) => {
    event.stopPropagation();
    takeShare(event.target.value);
  });
  part("slider").addEventListener("click", (event) => {
    const mark = event.target.closest("[data-share]");
    if (!mark) return;
    part("slider").querySelector("input").value = mark.dataset.share;
    takeShare(mark.dataset.share);
  });

  let unit = field.unit.value;
  field.unit.addEventListener("change", () => {
    const price = referencePrice();
    const typed = decimal.parseTyped(field.amount.value);
    if (price && typed && unit !== field.unit.value) {
      const next = byQuote()
        ? decimal.floorTo(decimal.multiply(typed, price), decimal.ONE / 100n)
        : decimal.floorTo(decimal.divide(typed, price), instrument.lot);
      field.amount.value = decimal.text(next);
    }
    unit = field.unit.value;
  });

  document.addEventListener("pick-price", (event) => {
    if (type() === "market") form.querySelector("[name=type][value=limit]").checked = true;
    const input = type() === "stop" ? field.stop_price : field.price;
    input.value = event.detail.price;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // The first best price is a good start for a limit; after that the field is the person's own.
  let started = Boolean(field.price.value);
  book.listen((kind) => {
    if (kind === "stale") return;
    if (!started && book.bids.length && book.asks.length) {
      started = true;
      const best = buying() ? book.asks[0][0] : book.bids[0][0];
      if (!field.price.value) field.price.value = decimal.text(best, instrument.pricePlaces);
    }
    refresh();
  });
  follow(refresh);
  refresh();
}
