// The order form: what it would do now, what is wrong with it, and sending it once. One intent has
// one client_order_id; it changes when the order's terms change or when it is done.

import { account, follow, noteOrder } from "account";
import { confirmed, isLarge } from "confirmation";
import * as decimal from "decimal";
import { amount, fixed, trimmed } from "format";
import { book, instrument } from "market";
import { OrderEntry } from "order-entry";
import { estimate, problems, worthOf } from "order-rules";
import { resultWords } from "order-words";
import { newIntent, place, placePair } from "orders";
import { painter, TEXT_PER_SECOND } from "paint";
import { toast } from "toast";

// What the exchange calls otherwise than the form does.
const SAME_FIELD = { quote_amount: "quantity", trail_amount: "trail", trail_percent: "trail" };
const DIGITS = /^\d*\.?\d*$/;
const FEE_PLACES_LEAST = 4;

export default function orderForm(form) {
  const field = form.elements;
  const entry = new OrderEntry(form);
  const part = (name) => form.querySelector(`[data-${name}]`);
  const box = (name) => form.querySelector(`[data-field-of="${name}"]`);
  const submit = part("submit");
  const range = part("slider").querySelector("input");
  const numbers = [...form.querySelectorAll("[data-field-of]:has([inputmode=decimal])")].map(
    (each) => each.dataset.fieldOf,
  );
  const touched = new Set();
  const refused = new Set();
  let intent = newIntent();
  let busy = false;

  const inBase = (units) => `${amount(decimal.text(units))} ${instrument.base}`;
  const quotePlaces = instrument.quotePlaces;
  const feeStep = decimal.ONE / 10n ** BigInt(Math.max(quotePlaces, FEE_PLACES_LEAST));
  const quoteText = (units) => {
    const text = fixed(decimal.text(units), quotePlaces);
    return quotePlaces > 2 ? trimmed(text) : text;
  };
  const inQuote = (units) => `${quoteText(units)} ${instrument.quote}`;

  const refresh = painter(() => {
    const order = entry.read();
    const expected = estimate(order, instrument, book);
    drawEstimate(order, expected);
    drawFree();
    drawWords(order);
    drawExplanation(order, expected);
    drawProblems(order, expected, false);
    tell("draft", entry.draft(order, expected));
  }, TEXT_PER_SECOND);

  /** The chart draws what is being written here, and writes into it. */
  function tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }

  function set(name, text) {
    const cell = part(name);
    if (cell.textContent !== text) cell.textContent = text;
  }

  function drawEstimate(order, expected) {
    const known = expected && expected.quantity > decimal.ZERO;
    if (known) {
      const { average, fee, notional, slippageBasis } = expected;
      const total = entry.buying ? notional + fee : notional - fee;
      const price = decimal.roundTo(average, instrument.tick);
      set("average", amount(decimal.text(price, instrument.pricePlaces)));
      set("slippage", `${slippageBasis / 100n}.${String(slippageBasis % 100n).padStart(2, "0")}%`);
      set("fee", amount(decimal.text(decimal.roundTo(fee, feeStep))));
      set("total", inQuote(total));
      drawAfter(expected, total);
    } else {
      for (const name of ["average", "slippage", "fee", "total", "after-base", "after-quote"]) {
        set(name, "–");
      }
    }
    let other = known ? `≈ ${inQuote(expected.notional)}` : "";
    if (entry.byQuote) other = order.quantity ? `≈ ${inBase(order.quantity)}` : "";
    const short = expected?.short ? " The book has not enough for all of it." : "";
    set("other-unit", `${other}${short}`.trim());
  }

  function drawAfter(expected, total) {
    if (!account.ready) return;
    const sign = entry.buying ? 1n : -1n;
    const all = (asset) => decimal.parse(account.balances.get(asset)?.total ?? "0");
    const base = all(instrument.base) + sign * expected.quantity;
    const quote = all(instrument.quote) - sign * total;
    set("after-base", base < 0n ? "not enough" : trimmed(decimal.text(base)));
    set("after-quote", quote < 0n ? "not enough" : quoteText(quote));
  }

  function drawFree() {
    const have = entry.free();
    if (!have) return;
    const base = () => `${trimmed(decimal.text(have.base))} ${instrument.base}`;
    set("free", entry.buying ? inQuote(have.quote) : base());
  }

  /** The button says what it will do. */
  function drawWords(order) {
    if (!submit || busy) return;
    let what = instrument.base;
    if (order.budget) {
      what += ` for ${amount(decimal.text(order.budget))} ${instrument.quote}`;
    } else if (order.quantity) {
      what = inBase(order.quantity);
    }
    const { waits, profit, pair } = entry.kind;
    let when = waits ? ` at the ${profit ? "trigger" : "stop"}` : "";
    if (pair) when = " at limit or stop";
    if (entry.bracketed) when += " with exits";
    const words = `${entry.buying ? "Buy" : "Sell"} ${what}${when}`;
    if (submit.textContent !== words) submit.textContent = words;
  }

  /** In words what the numbers that are typed will do, where that is not plain to see. */
  async function drawExplanation(order, expected) {
    const list = part("explanation");
    const exits = order.display || order.takeProfit || order.stopLoss;
    if (list.hidden && !entry.stopped && !exits) return;
    const { explainUnusual } = await import("order-explain");
    const lines = explainUnusual(order, expected, instrument);
    if (lines.join() === [...list.children].map((each) => each.textContent).join()) return;
    list.hidden = !lines.length;
    list.replaceChildren(
      ...lines.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
  }

  function say(name, message) {
    const line = box(name).querySelector("[data-error]");
    if (line.textContent !== message) line.textContent = message;
    box(name).toggleAttribute("data-invalid", Boolean(message));
    const input = box(name).querySelector("input");
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /** Problems show at fields that have been touched; at all of them once the form is sent. */
  function drawProblems(order, expected, all) {
    const found = new Map();
    for (const { field: name, message } of problems(order, instrument, expected, entry.free())) {
      if (!found.has(name)) found.set(name, message);
    }
    for (const name of numbers) {
      const unreadable = entry.unreadable(name);
      if (unreadable) found.set(name, unreadable);
      // What the exchange said stands until the field is changed.
      if (!refused.has(name)) say(name, all || touched.has(name) ? (found.get(name) ?? "") : "");
    }
    return found;
  }

  function message(text) {
    part("message").replaceChildren();
    if (!text) return;
    const notice = part("notice").content.firstElementChild.cloneNode(true);
    notice.querySelector("[data-text]").textContent = text;
    part("message").append(notice);
  }

  function clearRefusal() {
    refused.clear();
    say("expires_at", "");
    message("");
  }

  function refuse(error) {
    const name = SAME_FIELD[error.field] ?? error.field;
    if (!name || !box(name) || !box(name).offsetParent) {
      message(error.message);
      return;
    }
    refused.add(name);
    say(name, error.message);
    box(name).querySelector("input").focus();
  }

  async function send() {
    const order = entry.read();
    const expected = estimate(order, instrument, book);
    clearRefusal();
    drawWords(order);
    const found = drawProblems(order, expected, true);
    const gap = entry.missing(order);
    if (gap && !found.has(gap[0])) say(...gap);
    const first = [...found.keys()][0] ?? gap?.[0];
    if (first) {
      touched.add(first);
      box(first).closest("details")?.setAttribute("open", "");
      box(first).querySelector("input").focus();
      return;
    }
    if (!(await agreed(order, expected))) return;
    setBusy(true);
    try {
      const params = entry.params(order, intent);
      const placed = entry.kind.pair ? await placePair(params) : [await place(params)];
      for (const each of placed) noteOrder(each);
      const traded = placed.some(({ status }) => status !== "cancelled" && status !== "expired");
      toast(resultWords(...placed), { kind: traded ? "good" : "plain" });
      finish();
    } catch (error) {
      refuse(error);
    } finally {
      setBusy(false);
      refresh();
    }
  }

  /** A large order is asked about once more; what was agreed to is what is sent. */
  async function agreed(order, expected) {
    if (!isLarge(worthOf(order, expected))) return true;
    const agreedTo = intent;
    const button = submit.textContent;
    const title = `${button}?`;
    const { explain } = await import("order-explain");
    const lines = explain(order, expected, instrument);
    const goes = await confirmed({ title, lines, button, side: order.side });
    return goes && agreedTo === intent;
  }

  function finish() {
    intent = newIntent();
    field.amount.value = "";
    drawShare(0);
    touched.clear();
    form.dispatchEvent(new CustomEvent("ordered", { bubbles: true }));
  }

  function setBusy(on) {
    busy = on;
    submit.setAttribute("aria-busy", String(on));
    if (on) submit.textContent = "Sending …";
  }

  /** Other terms are another intent: one id never stands for two different orders. */
  function changed(name) {
    intent = newIntent();
    clearRefusal();
    if (name) touched.add(name);
    refresh();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // Not by `disabled`: the button keeps the focus, and a second press simply does nothing.
    if (!busy && submit) send();
  });
  form.addEventListener("input", (event) => {
    if (busy) return;
    if (event.target.inputMode === "decimal") tidy(event.target);
    if (event.target === field.amount) drawShare(0);
    const name = event.target.closest("[data-field-of]")?.dataset.fieldOf;
    if (name) entry.typed.add(name);
    if (name === "price" || name === "stop_price") entry.propose();
    changed(name);
  });
  form.addEventListener("change", (event) => {
    if (busy) return;
    if (["type", "side", "bracket"].includes(event.target.name)) entry.propose();
    changed();
  });

  /** Pasted numbers may come with spaces and commas between the thousands. */
  function tidy(input) {
    const kept = input.value.replaceAll(/[\s,]/g, "");
    if (kept !== input.value && DIGITS.test(kept)) input.value = kept;
  }

  for (const input of form.querySelectorAll("[data-nudged]")) {
    input.addEventListener("keydown", (event) => {
      const ticks = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
      if (!ticks) return;
      event.preventDefault();
      entry.nudge(input, event.shiftKey ? ticks * 10n : ticks);
    });
  }
  for (const button of form.querySelectorAll("[data-nudge]")) {
    button.addEventListener("click", () => entry.nudge(field.price, BigInt(button.dataset.nudge)));
  }

  function drawShare(share) {
    range.value = share;
    range.setAttribute("aria-valuetext", `${share} %`);
    range.style.setProperty("--share", `${share}%`);
  }

  function takeShare(share) {
    drawShare(share);
    entry.takeShare(share);
    changed("quantity");
  }

  part("slider").addEventListener("input", (event) => {
    event.stopPropagation();
    takeShare(event.target.value);
  });
  part("slider").addEventListener("click", (event) => {
    const mark = event.target.closest("[data-share]");
    if (mark) takeShare(mark.dataset.share);
  });
  field.unit.addEventListener("change", () => entry.changeUnit());

  document.addEventListener("pick-price", (event) => {
    if (entry.type === "market") form.querySelector("[name=type][value=limit]").checked = true;
    const input = entry.limited ? field.price : field.stop_price;
    input.value = event.detail.price;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });

  document.addEventListener("draft-moved", ({ detail: { name, price } }) => {
    const input = field[name];
    if (busy || input.value === price) return;
    input.value = price;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // The best price is a good start for a limit; after that the field is the person's own.
  book.listen((kind) => {
    if (kind === "stale") return;
    const best = (entry.buying ? book.asks : book.bids)[0];
    if (best && !field.price.value && document.activeElement !== field.price && !touched.has("price")) {
      field.price.value = decimal.text(best[0], instrument.pricePlaces);
    }
    refresh();
  });
  follow(refresh);
  refresh();
}
