// The depth chart: how much the book holds up to each price, from the same book as the ladder. It
// is drawn only while it is looked at. Pointer or arrow keys read it off, a click sets the price.

import { account, follow } from "account";
import * as decimal from "decimal";
import { amount, compact } from "format";
import { book, instrument } from "market";
import { BOOK_PER_SECOND, painter } from "paint";
import { curveOf, distanceText, reachOf, standingAt, usualSpan } from "depth-curve";
import { coloursOf, drawDepth, placesOf } from "depth-picture";

const READ_OUT_MS = 15_000;
const STEPS = 40n;
const ZOOM = { closer: [2n, 3n], further: [3n, 2n] };
const CLOSEST_BASIS = 2n;

export default function depth(root) {
  const part = (name) => root.querySelector(`[data-${name}]`);
  const canvas = part("canvas");
  const tip = document.createElement("div");
  tip.className = "tip depth-tip";
  tip.hidden = true;
  document.body.append(tip);
  let colour = null;
  let curve = null;
  let places = null;
  let zoom = null;
  let price = null;
  let readOutAt = -Infinity;

  const spanNow = () => decimal.most(zoom ?? usualSpan(curve), instrument.tick);
  const priceText = (units) =>
    amount(decimal.text(decimal.roundTo(units, instrument.tick), instrument.pricePlaces));

  const paint = painter(() => {
    if (!root.offsetParent || !book.ready) return;
    curve = curveOf(book);
    part("waiting").hidden = curve !== null;
    if (!curve) {
      part("summary").textContent = "One side of the book is empty: there is no depth to draw.";
      return;
    }
    colour ??= coloursOf(canvas);
    places = placesOf(canvas, curve, spanNow());
    const cursor = price === null ? null : { price, ...standingAt(curve, price) };
    drawDepth(canvas, { curve, places, colour, instrument, mine: ownPrices(), cursor });
    part("span").textContent = `± ${distanceText(curve, curve.middle + spanNow())}%`;
    if (cursor) showTip(cursor);
    summarise();
  }, BOOK_PER_SECOND);

  function ownPrices() {
    return [...account.orders.values()]
      .filter((order) => order.market === instrument.symbol && order.price)
      .map((order) => Number(order.price));
  }

  function summarise() {
    const now = performance.now();
    if (now - readOutAt < READ_OUT_MS) return;
    readOutAt = now;
    const [low, high] = [curve.middle - spanNow(), curve.middle + spanNow()];
    const [bids, asks] = [standingAt(curve, low), standingAt(curve, high)];
    part("summary").textContent =
      `Between ${priceText(low)} and the middle at ${priceText(curve.middle)} stand bids for ` +
      `${words(bids)}; up to ${priceText(high)} stand asks for ${words(asks)}. ` +
      "Arrow keys read it off, plus and minus change the range, Enter takes the price.";
  }

  const words = ({ sum, value }) =>
    `${compact(decimal.text(sum))} ${instrument.base}, worth ` +
    `${compact(decimal.text(value))} ${instrument.quote}`;

  function showTip(cursor) {
    const rows = [
      ["Price", priceText(cursor.price)],
      ["From the middle", `${distanceText(curve, cursor.price)}%`],
      [`Sum, ${instrument.base}`, compact(decimal.text(cursor.sum))],
      [`Sum, ${instrument.quote}`, compact(decimal.text(cursor.value))],
    ];
    tip.replaceChildren(...rows.flatMap(([term, value]) => [span(term, "muted"), span(value, "number")]));
    tip.hidden = false;
    const box = canvas.getBoundingClientRect();
    const x = box.left + places.x(Number(decimal.text(cursor.price)));
    const right = x + tip.offsetWidth + 16 > box.right;
    tip.style.left = `${Math.max(8, right ? x - tip.offsetWidth - 12 : x + 12)}px`;
    tip.style.top = `${box.top + 12}px`;
  }

  function span(text, name) {
    const element = document.createElement("span");
    element.className = name;
    element.textContent = text;
    return element;
  }

  function hide() {
    price = null;
    tip.hidden = true;
    paint();
  }

  /** Stay on the picture and on a tick. */
  function point(units) {
    const span = spanNow();
    const [low, high] = [curve.middle - span, curve.middle + span];
    const inside = decimal.least(decimal.most(units, low), high);
    price = decimal.most(decimal.roundTo(inside, instrument.tick), instrument.tick);
    paint();
  }

  function changeZoom([up, down]) {
    const closest = decimal.most((curve.middle * CLOSEST_BASIS) / 10_000n, instrument.tick * 2n);
    const wanted = decimal.most((spanNow() * up) / down, closest);
    zoom = decimal.least(wanted, reachOf(curve));
    if (price !== null) point(price);
    readOutAt = -Infinity;
    paint();
  }

  function take() {
    if (price === null) return;
    const detail = { price: decimal.text(price, instrument.pricePlaces) };
    document.dispatchEvent(new CustomEvent("pick-price", { detail }));
  }

  canvas.addEventListener("pointermove", (event) => {
    if (!curve) return;
    const box = canvas.getBoundingClientRect();
    const number = Math.max(0, places.priceAt(event.clientX - box.left));
    point(decimal.parse(number.toFixed(instrument.pricePlaces)));
  });
  canvas.addEventListener("pointerleave", hide);
  canvas.addEventListener("blur", hide);
  canvas.addEventListener("click", take);
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!curve || event.ctrlKey) return;
      event.preventDefault();
      changeZoom(event.deltaY < 0 ? ZOOM.closer : ZOOM.further);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    if (!curve) return;
    const move = { ArrowLeft: -1n, ArrowRight: 1n }[event.key];
    if (move) {
      const step = decimal.most((spanNow() * 2n) / STEPS, instrument.tick);
      point((price ?? curve.middle) + move * step);
      const { side, ...sums } = standingAt(curve, price);
      const name = side === "bids" ? "bids" : "asks";
      part("readout").textContent = `${priceText(price)}: ${name} for ${words(sums)}`;
    } else if (event.key === "+" || event.key === "-") {
      changeZoom(event.key === "+" ? ZOOM.closer : ZOOM.further);
    } else if (event.key === "Enter") {
      take();
    } else if (event.key === "Escape" && price !== null) {
      hide();
      event.stopPropagation();
    } else {
      return;
    }
    event.preventDefault();
  });
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button && curve) changeZoom(button.dataset.zoom === "1" ? ZOOM.further : ZOOM.closer);
  });

  function recolour() {
    colour = null;
    paint();
  }

  document.addEventListener("appearance", recolour);
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", recolour);
  new ResizeObserver(paint).observe(root);
  follow(paint);
  book.listen((kind) => {
    root.classList.toggle("is-stale", kind === "stale");
    if (kind !== "stale") paint();
  });
}
