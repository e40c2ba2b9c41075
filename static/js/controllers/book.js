// The order book: depth bars, sums on hover, grouping, a click that sets the price. Rows are made
// once and rewritten in place, at most ten times a second.

import * as decimal from "decimal";
import { account, follow } from "account";
import { amount, compact, fixed } from "format";
import { book as feed, instrument, ticker } from "market";
import { BOOK_PER_SECOND, painter, TEXT_PER_SECOND } from "paint";

const ROW_PIXELS = 20;
const ROWS_LEAST = 4;
const ROWS_MOST = 40;
const SPREAD_BASIS = 1_000_000n;
const READ_OUT_MS = 15_000;

/** The step that a price counts to: the one below for bids, the one above for asks. */
function edgeOf(price, step, asks) {
  const floor = decimal.floorTo(price, step);
  return asks && floor !== price ? floor + step : floor;
}

/** Levels put together in steps, from the best on. */
function grouped(levels, step, asks, most) {
  const groups = [];
  for (const [price, quantity] of levels) {
    const edge = edgeOf(price, step, asks);
    const last = groups.at(-1);
    if (last && last.price === edge) last.quantity += quantity;
    else if (groups.length === most) break;
    else groups.push({ price: edge, quantity });
  }
  let sum = decimal.ZERO;
  let value = decimal.ZERO;
  for (const group of groups) {
    sum += group.quantity;
    value += decimal.multiply(group.quantity, group.price);
    group.sum = sum;
    group.value = value;
  }
  return groups;
}

export default function book(root) {
  const template = root.querySelector("[data-level]");
  const tip = root.querySelector("[data-tip]");
  const summary = root.querySelector("[data-summary]");
  const spread = root.querySelector("[data-spread]");
  const spreadLine = root.querySelector(".spread");
  const auctionLine = root.querySelector("[data-auction-line]");
  const last = root.querySelector("[data-last]");
  const select = root.closest("section").querySelector("[data-grouping]");
  const sides = {
    asks: { body: root.querySelector("[data-asks]"), groups: [] },
    bids: { body: root.querySelector("[data-bids]"), groups: [] },
  };
  // Out of the panel, which clips what is in it.
  document.body.append(tip);
  let step = decimal.parse(select.value);
  let places = instrument.pricePlaces;
  let readOutAt = -Infinity;
  let mine = new Set();

  function fit() {
    const taken = root.querySelector("thead").offsetHeight + root.querySelector(".middle").offsetHeight;
    const room = Math.floor((root.clientHeight - taken) / 2 / ROW_PIXELS);
    const count = Math.max(ROWS_LEAST, Math.min(ROWS_MOST, room));
    for (const [name, side] of Object.entries(sides)) {
      if (side.drawn !== "yes") {
        side.body.replaceChildren();
        side.drawn = "yes";
      }
      while (side.body.rows.length > count) side.body.rows[0].remove();
      while (side.body.rows.length < count) {
        const row = template.content.firstElementChild.cloneNode(true);
        row.dataset.side = name;
        side.body.append(row);
      }
    }
    return count;
  }

  function draw(name, count, deepest) {
    const { body, groups } = sides[name];
    const rows = [...body.rows];
    // Asks stand above the middle, the best one lowest.
    if (name === "asks") rows.reverse();
    rows.forEach((row, index) => write(row, name, groups[index], index, deepest));
  }

  function write(row, name, group, index, deepest) {
    const [price, quantity, sum] = row.cells;
    const button = price.firstElementChild;
    row.dataset.index = index;
    row.hidden = false;
    const priceText = group ? amount(decimal.text(group.price, places)) : "";
    if (button.textContent !== priceText) button.textContent = priceText;
    const quantityText = group ? shortAmount(group.quantity) : "";
    if (quantity.textContent !== quantityText) quantity.textContent = quantityText;
    const sumText = group ? shortAmount(group.sum) : "";
    if (sum.textContent !== sumText) sum.textContent = sumText;
    const share = group && deepest ? (group.sum * 1000n) / deepest : 0n;
    const shareText = String(share);
    if (row.dataset.share !== shareText) {
      row.dataset.share = shareText;
      row.style.setProperty("--depth", `${Number(share) / 10}%`);
    }
    row.classList.toggle("is-mine", Boolean(group) && mine.has(`${name}${decimal.text(group.price)}`));
  }

  function shortAmount(units) {
    const text = decimal.text(units);
    const whole = text.split(".")[0];
    if (whole.length > 6) return compact(text);
    return fixed(text, Math.max(0, Math.min(instrument.quantityPlaces, 7 - whole.length)));
  }

  const paint = painter(() => {
    const count = fit();
    sides.asks.groups = grouped(feed.asks, step, true, count);
    sides.bids.groups = grouped(feed.bids, step, false, count);
    const deepest = decimal.most(
      sides.asks.groups.at(-1)?.sum ?? decimal.ZERO,
      sides.bids.groups.at(-1)?.sum ?? decimal.ZERO,
    );
    draw("asks", count, deepest);
    draw("bids", count, deepest);
    drawSpread();
    if (hovered) showTip();
  }, BOOK_PER_SECOND);

  function drawSpread() {
    const [bid, ask] = [feed.bids[0]?.[0], feed.asks[0]?.[0]];
    if (!bid || !ask) {
      spreadLine.classList.remove("crossed");
      spread.textContent = bid || ask ? "only one side has orders" : "no orders";
      return;
    }
    // In the call of an auction there is no spread; its price stands where the last one is past.
    const crossed = bid >= ask;
    spreadLine.classList.toggle("crossed", crossed);
    if (crossed) {
      const price = ticker.now?.auction?.price;
      auctionLine.textContent = price ? `Auction at ${amount(price)}` : "Bids and asks cross";
      return;
    }
    const share = ((ask - bid) * SPREAD_BASIS) / bid;
    const percent = `${share / 10_000n}.${String(share % 10_000n).padStart(4, "0").slice(0, 3)}`;
    const text = `${decimal.text(ask - bid, instrument.pricePlaces)} (${percent}%)`;
    if (spread.textContent !== text) spread.textContent = text;
    const now = performance.now();
    if (now - readOutAt > READ_OUT_MS) {
      readOutAt = now;
      summary.textContent =
        `Best bid ${amount(decimal.text(bid))}, best ask ${amount(decimal.text(ask))}. Spread ${text}.`;
    }
  }

  const paintLast = painter(() => {
    const text = amount(ticker.now.last);
    if (last.textContent === text) return;
    const before = last.dataset.price;
    if (before) {
      const risen = decimal.parse(ticker.now.last) > decimal.parse(before);
      last.classList.toggle("up", risen);
      last.classList.toggle("down", !risen);
    }
    last.dataset.price = ticker.now.last;
    last.textContent = text;
  }, TEXT_PER_SECOND);

  let hovered = null;

  function showTip() {
    const group = sides[hovered.dataset.side]?.groups[Number(hovered.dataset.index)];
    if (!group) {
      hideTip();
      return;
    }
    const average = decimal.text(decimal.roundTo(decimal.divide(group.value, group.sum), step));
    tip.replaceChildren(
      ...line("Average price", `${amount(average, places)}`),
      ...line(`Sum, ${instrument.base}`, shortAmount(group.sum)),
      ...line(`Sum, ${instrument.quote}`, compact(decimal.text(group.value))),
    );
    tip.hidden = false;
    const row = hovered.getBoundingClientRect();
    tip.style.top = `${Math.min(innerHeight - tip.offsetHeight - 8, row.top - 4)}px`;
    tip.style.left = `${Math.max(8, row.left - tip.offsetWidth - 8)}px`;
    for (const each of hovered.parentElement.rows) {
      each.classList.toggle("is-within", Number(each.dataset.index) <= Number(hovered.dataset.index));
    }
  }

  function line(term, value) {
    const label = document.createElement("span");
    label.className = "muted";
    label.textContent = term;
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = value;
    return [label, number];
  }

  function hideTip() {
    hovered = null;
    tip.hidden = true;
    for (const row of root.querySelectorAll(".is-within")) row.classList.remove("is-within");
  }

  root.addEventListener("pointerover", (event) => {
    const row = event.target.closest("tr[data-side]");
    if (row === hovered) return;
    hideTip();
    if (!row || event.pointerType === "touch") return;
    hovered = row;
    showTip();
  });
  root.addEventListener("pointerleave", hideTip);

  function choose(row) {
    const group = sides[row.dataset.side].groups[Number(row.dataset.index)];
    if (!group) return;
    const detail = { price: decimal.text(group.price, places) };
    document.dispatchEvent(new CustomEvent("pick-price", { detail }));
  }

  root.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-side]");
    if (row) choose(row);
  });
  // One stop for the Tab key; from there the arrows walk through the prices.
  root.querySelector(".levels").tabIndex = 0;
  root.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!move) return;
    const buttons = [...root.querySelectorAll("tr[data-side] button")].filter((b) => b.textContent);
    const at = buttons.indexOf(document.activeElement);
    const middle = sides.asks.groups.length;
    const next = at < 0 ? middle : Math.max(0, Math.min(buttons.length - 1, at + move));
    buttons[next]?.focus();
    event.preventDefault();
  });

  select.addEventListener("change", () => {
    step = decimal.parse(select.value);
    places = Math.min(instrument.pricePlaces, decimal.places(select.value));
    noteMine();
  });

  function noteMine() {
    mine = new Set();
    for (const order of account.orders.values()) {
      if (order.market !== instrument.symbol || !order.price) continue;
      const name = order.side === "buy" ? "bids" : "asks";
      const edge = edgeOf(decimal.parse(order.price), step, name === "asks");
      mine.add(`${name}${decimal.text(edge)}`);
    }
    if (feed.ready) paint();
  }

  follow(noteMine);
  feed.listen((kind) => {
    root.classList.toggle("is-stale", kind === "stale");
    if (kind !== "stale") paint();
  });
  ticker.listen((kind) => kind !== "stale" && ticker.now.last && paintLast());
  addEventListener("resize", () => feed.ready && paint());
}
