// The latest trades, newest first. Rows stay where they are; their words move down.

import { amount, clock } from "format";
import { tape as feed } from "market";
import { painter, TEXT_PER_SECOND } from "paint";

const ROW_PIXELS = 20;
const ROWS_MOST = 60;

export default function tape(root) {
  const body = root.querySelector("[data-rows]");
  let newest = null;

  function makeRow() {
    const row = document.createElement("tr");
    const price = document.createElement("td");
    const words = document.createElement("span");
    const quiet = document.createElement("span");
    quiet.className = "quiet";
    price.append(words, quiet);
    const quantity = document.createElement("td");
    quantity.className = "number";
    const time = document.createElement("td");
    time.className = "number muted";
    row.append(price, quantity, time);
    return row;
  }

  function fit() {
    const head = root.querySelector("thead").offsetHeight;
    const room = Math.floor((root.clientHeight - head) / ROW_PIXELS);
    const count = Math.max(5, Math.min(ROWS_MOST, room));
    while (body.rows.length > count) body.rows[body.rows.length - 1].remove();
    while (body.rows.length < count) body.append(makeRow());
  }

  const paint = painter(() => {
    if (body.dataset.drawn !== "yes") {
      body.replaceChildren();
      body.dataset.drawn = "yes";
    }
    fit();
    const first = feed.trades[0];
    [...body.rows].forEach((row, index) => write(row, feed.trades[index]));
    if (newest && first && first.id !== newest) flash(body.rows[0], first.side);
    newest = first?.id ?? null;
  }, TEXT_PER_SECOND);

  function write(row, trade) {
    if (row.dataset.trade === trade?.id) return;
    const [price, quantity, time] = row.cells;
    row.dataset.trade = trade?.id ?? "";
    price.className = `level-price ${trade ? (trade.side === "buy" ? "up" : "down") : ""}`;
    price.firstChild.textContent = trade ? amount(trade.price) : "";
    price.lastChild.textContent = trade ? (trade.side === "buy" ? " bought" : " sold") : "";
    quantity.textContent = trade ? amount(trade.quantity) : "";
    time.textContent = trade ? clock(trade.at) : "";
  }

  function flash(row, side) {
    row.classList.remove("tint-up", "tint-down");
    void row.offsetWidth;
    row.classList.add(side === "buy" ? "tint-up" : "tint-down");
  }

  feed.listen((kind) => kind !== "stale" && paint());
  addEventListener("resize", () => feed.ready && paint());
}
