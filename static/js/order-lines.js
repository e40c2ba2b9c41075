// One's open orders on the chart: a line each, with a handle that is dragged or moved by the arrow
// keys. Where a handle lies is pixels; what it stands for stays exact.

import * as decimal from "decimal";
import { amount } from "format";

const KEYS = { ArrowUp: 1n, ArrowDown: -1n, PageUp: 100n, PageDown: -100n };

function pointWords({ order, name }) {
  if (name === "price") return "";
  return order.type.startsWith("take_profit") ? " trigger" : " stop";
}

/** What can be moved of an order: its stop while it waits, and its limit. */
function pointsOf(order) {
  const found = [];
  if (order.stop_price && order.type !== "trailing_stop") found.push("stop_price");
  if (order.price) found.push("price");
  return found.map((name) => ({ id: `${order.id}.${name}`, order, name }));
}

export class OrderLines {
  /** `scale` turns prices into pixels and back; `move(order, changes)` sends a change. */
  constructor(root, instrument, scale, move) {
    Object.assign(this, { root, instrument, scale, move });
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
      const line = this.lines.get(id) ?? this.add(id);
      Object.assign(line, point);
      if (line !== this.held) this.show(line, decimal.parse(point.order[point.name]));
      line.drawn.applyOptions({
        color: point.order.side === "buy" ? colour.up : colour.down,
        lineStyle: point.name === "stop_price" ? 1 : 2,
      });
    }
  }

  add(id) {
    const handle = document.createElement("div");
    handle.className = "order-handle";
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-orientation", "vertical");
    const drawn = this.scale.addLine({ price: 0, lineWidth: 1, axisLabelVisible: true, title: "" });
    const line = { handle, drawn, at: decimal.ZERO };
    this.lines.set(id, line);
    this.root.append(handle);
    handle.addEventListener("pointerdown", (event) => this.grab(line, event));
    handle.addEventListener("keydown", (event) => this.key(line, event));
    handle.addEventListener("blur", () => this.release(line));
    return line;
  }

  /** Put a line at a price. */
  show(line, units) {
    const { order, name, handle } = line;
    const text = amount(decimal.text(units, this.instrument.pricePlaces));
    const side = order.side === "buy" ? "Buy" : "Sell";
    const what = `${side} ${amount(order.quantity ?? "")}${pointWords(line)}`;
    line.at = units;
    line.drawn.applyOptions({ price: Number(decimal.text(units)) });
    handle.textContent = line === this.held ? text : what;
    handle.classList.toggle("order-handle--sell", order.side === "sell");
    handle.setAttribute("aria-label", `${what}, price; arrow keys move it, Enter sends`);
    handle.setAttribute("aria-valuenow", decimal.text(units));
    handle.setAttribute("aria-valuetext", text);
    this.placeOne(line);
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
    this.held = line;
    const top = this.root.getBoundingClientRect().top;
    const follow = (moved) => {
      const price = this.scale.toPrice(moved.clientY - top);
      if (price > 0) this.show(line, this.onTick(price));
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

  onTick(price) {
    const units = decimal.parse(price.toFixed(this.instrument.pricePlaces));
    return decimal.most(decimal.roundTo(units, this.instrument.tick), this.instrument.tick);
  }

  key(line, event) {
    const ticks = KEYS[event.key];
    if (ticks) {
      this.held = line;
      const step = this.instrument.tick * (event.shiftKey ? ticks * 10n : ticks);
      this.show(line, decimal.most(line.at + step, this.instrument.tick));
    } else if (event.key === "Enter" && this.held === line) this.send(line);
    else if (event.key === "Escape" && this.held === line) this.release(line);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Let go without a change: the line returns to where the order is. */
  release(line) {
    if (this.held !== line) return;
    this.held = null;
    this.show(line, decimal.parse(line.order[line.name]));
  }

  async send(line) {
    const { order, name, at } = line;
    if (line.handle.getAttribute("aria-busy") === "true") return;
    if (at === decimal.parse(order[name])) {
      this.release(line);
      return;
    }
    // While the answer is on its way the line stays where it was put.
    line.handle.setAttribute("aria-busy", "true");
    await this.move(order, { [name]: decimal.text(at, this.instrument.pricePlaces) });
    line.handle.removeAttribute("aria-busy");
    this.release(line);
  }
}
