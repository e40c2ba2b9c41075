// One's open orders on the chart, and the one that is being written: a line for each price, with a
// handle that is dragged or moved by the arrow keys. Where a handle lies is pixels; what it stands
// for stays exact.

import * as decimal from "decimal";
import { amount, signed } from "format";

const KEYS = { ArrowUp: 1n, ArrowDown: -1n, PageUp: 100n, PageDown: -100n };
// A range has to end somewhere: at so many times the first price, and later where a line gets there.
const RANGE = 10n;
const EXITS = { take_profit_price: "Profit", stop_loss_price: "Loss", stop_loss_limit_price: "At worst" };

/** What an order has lines for. The exits of one that is open already follow when it has filled. */
function pointsOf(order) {
  const names = ["price", "stop_limit_price", ...Object.keys(EXITS)];
  if (order.type !== "trailing_stop") names.unshift("stop_price");
  return names
    .filter((name) => order[name])
    .map((name) => ({
      id: `${order.id}.${name}`,
      order,
      name,
      fixed: name in EXITS && !order.draft,
      leaves: order.side === "sell" || name in EXITS,
    }));
}

function nameOf({ order, name }) {
  if (name in EXITS) return EXITS[name];
  const side = order.side === "buy" ? "Buy" : "Sell";
  const what = order.quantity ? `${side} ${amount(order.quantity)}` : side;
  if (name === "price") return what;
  if (name === "stop_limit_price") return `${what} stop limit`;
  return order.type.startsWith("take_profit") ? `${what} trigger` : `${what} stop`;
}

export class OrderLines {
  /**
   * `scale` turns prices into pixels and back; `move(order, changes)` sends a change; `paid(order)`
   * is what was paid for what the order sells, null where nobody knows.
   */
  constructor(root, instrument, scale, { move, paid }) {
    Object.assign(this, { root, instrument, scale, move, paid });
    this.lines = new Map();
    this.held = null;
  }

  /** Bring lines and handles in line with the orders; the one that is held stays as it is. */
  draw(orders, colour) {
    const wanted = new Map(orders.flatMap(pointsOf).map((point) => [point.id, point]));
    for (const [id, line] of this.lines) {
      if (wanted.has(id)) continue;
      if (this.held === line) this.held = null;
      line.handle.remove();
      this.scale.removeLine(line.drawn);
      this.lines.delete(id);
    }
    for (const [id, point] of wanted) {
      const line = this.lines.get(id) ?? this.add(point);
      Object.assign(line, point);
      this.show(line, line === this.held ? line.at : decimal.parse(point.order[point.name]));
      const made = this.made(line);
      const down = made === null ? point.leaves : made < decimal.ZERO;
      line.handle.classList.toggle("order-handle--down", down);
      line.drawn.applyOptions({
        color: down ? colour.down : colour.up,
        lineStyle: point.name === "price" ? 2 : 1,
      });
    }
  }

  add(point) {
    const handle = document.createElement("div");
    handle.className = "order-handle";
    handle.classList.toggle("order-handle--draft", Boolean(point.order.draft));
    handle.classList.toggle("order-handle--fixed", point.fixed);
    const drawn = this.scale.addLine({ price: 0, lineWidth: 1, axisLabelVisible: true, title: "" });
    const most = decimal.parse(point.order[point.name]) * RANGE;
    const line = { handle, drawn, at: decimal.ZERO, most };
    this.lines.set(point.id, line);
    this.root.append(handle);
    if (point.fixed) return line;
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-orientation", "vertical");
    handle.addEventListener("pointerdown", (event) => this.grab(line, event));
    handle.addEventListener("keydown", (event) => this.key(line, event));
    handle.addEventListener("blur", () => this.release(line));
    return line;
  }

  /** Put a line at a price. */
  show(line, units) {
    const { handle } = line;
    const text = amount(decimal.text(units, this.instrument.pricePlaces));
    const what = nameOf(line);
    line.at = units;
    line.most = decimal.most(line.most, units);
    line.drawn.applyOptions({ price: Number(decimal.text(units)) });
    const made = this.made(line);
    const gain = made === null ? "" : this.gainWords(made);
    handle.textContent = `${line === this.held ? text : what}${gain && ` ${gain}`}`;
    if (!line.fixed) {
      const sends = line.order.draft ? "in the form" : "Enter sends";
      handle.setAttribute("aria-label", `${what}, price; arrow keys move it, ${sends}`);
      handle.setAttribute("aria-valuemin", this.instrument.tickText);
      handle.setAttribute("aria-valuemax", decimal.text(line.most));
      handle.setAttribute("aria-valuenow", decimal.text(units));
      handle.setAttribute("aria-valuetext", gain ? `${text}, ${gain} before fees` : text);
    }
    this.placeOne(line);
  }

  /** What selling at the line would make of what was paid, before fees; null if nobody knows. */
  made({ order, at, leaves }) {
    const paid = leaves && order.quantity ? decimal.parse(this.paid(order) ?? "") : null;
    return paid === null ? null : decimal.multiply(at - paid, decimal.parse(order.quantity));
  }

  gainWords(made) {
    return `${signed(made, this.instrument.quotePlaces)} ${this.instrument.quote}`;
  }

  /** Prices to be kept in sight: of what is being written, and of what is linked. */
  prices() {
    return [...this.lines.values()]
      .filter(({ order }) => order.draft || order.pair_order_id || order.parent_order_id)
      .map(({ at }) => Number(decimal.text(at)));
  }

  /** The scale has moved: handles follow their lines. */
  place() {
    for (const line of this.lines.values()) this.placeOne(line);
  }

  placeOne(line) {
    const y = this.scale.toPixels(Number(decimal.text(line.at)));
    line.handle.hidden = y === null || y < 0 || y > this.scale.height();
    if (!line.handle.hidden) line.handle.style.setProperty("--y", `${Math.round(y)}px`);
  }

  grab(line, event) {
    event.preventDefault();
    line.handle.focus();
    line.handle.setPointerCapture(event.pointerId);
    this.hold(line);
    const top = this.root.getBoundingClientRect().top;
    const follow = (moved) => {
      const price = this.scale.toPrice(moved.clientY - top);
      if (price > 0) this.moveTo(line, this.onTick(price));
    };
    line.handle.addEventListener("pointermove", follow);
    line.handle.addEventListener(
      "lostpointercapture",
      () => {
        line.handle.removeEventListener("pointermove", follow);
        if (this.held === line) this.send(line);
      },
      { once: true },
    );
  }

  hold(line) {
    if (this.held === line) return;
    this.held = line;
    line.from = line.at;
  }

  /** What is being written changes with the line; an order only once the change is sent. */
  moveTo(line, units) {
    this.show(line, units);
    if (line.order.draft) this.move(line.order, this.changeOf(line));
  }

  changeOf(line) {
    return { [line.name]: decimal.text(line.at, this.instrument.pricePlaces) };
  }

  onTick(price) {
    const units = decimal.parse(price.toFixed(this.instrument.pricePlaces));
    return decimal.most(decimal.roundTo(units, this.instrument.tick), this.instrument.tick);
  }

  key(line, event) {
    const ticks = KEYS[event.key];
    if (ticks) {
      this.hold(line);
      const step = this.instrument.tick * (event.shiftKey ? ticks * 10n : ticks);
      this.moveTo(line, decimal.most(line.at + step, this.instrument.tick));
    } else if (event.key === "Enter" && this.held === line) this.send(line);
    else if (event.key === "Escape" && this.held === line) this.giveUp(line);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  giveUp(line) {
    this.moveTo(line, line.from);
    this.release(line);
  }

  /** Let go without a change: the line returns to where the order is. */
  release(line) {
    if (this.held !== line) return;
    this.held = null;
    this.show(line, line.order.draft ? line.at : decimal.parse(line.order[line.name]));
  }

  async send(line) {
    const { order, name, at } = line;
    if (line.handle.getAttribute("aria-busy") === "true") return;
    if (order.draft || at === decimal.parse(order[name])) {
      this.release(line);
      return;
    }
    // While the answer is on its way the line stays where it was put.
    line.handle.setAttribute("aria-busy", "true");
    await this.move(order, this.changeOf(line));
    line.handle.removeAttribute("aria-busy");
    this.release(line);
  }
}
