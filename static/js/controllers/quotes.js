// Elements with data-symbol whose data-live parts follow that market's ticker.

import { amount, compact, direction, percent, priceNodes } from "format";
import { painter, TEXT_PER_SECOND } from "paint";
import { followTopic } from "topics";

const WORDS = {
  last: (ticker) => amount(ticker.last ?? "–"),
  high: (ticker) => amount(ticker.high ?? "–"),
  low: (ticker) => amount(ticker.low ?? "–"),
  change: (ticker) => percent(ticker.change),
  volume: (ticker) => compact(ticker.volume),
  quote_volume: (ticker) => compact(ticker.quote_volume),
};

/** Write a ticker into the parts of an element; a changed last price tints for a moment. */
export function drawTicker(element, ticker, before) {
  for (const part of element.querySelectorAll("[data-live]")) {
    const name = part.dataset.live;
    const text = WORDS[name](ticker);
    const shown = part.dataset.text ?? part.textContent;
    if (name === "change") colour(part, direction(ticker.change));
    if (text === shown) continue;
    part.dataset.text = text;
    if (name === "last") {
      part.replaceChildren(...priceNodes(text, shown));
      if (before) tint(part, rises(before.last, ticker.last) ? "up" : "down");
    } else {
      part.textContent = text;
    }
  }
}

function rises(before, now) {
  return before.length === now.length ? now > before : now.length > before.length;
}

function colour(part, name) {
  part.classList.toggle("up", name === "up");
  part.classList.toggle("down", name === "down");
}

function tint(part, name) {
  part.classList.remove("tint-up", "tint-down");
  // Reading the width makes the browser notice that the class went, so that it plays again.
  void part.offsetWidth;
  part.classList.add(`tint-${name}`);
}

/** Follow all tickers; `draw` gets the newest ones that changed, at most four times a second. */
export function followTickers(draw) {
  const news = new Map();
  const paint = painter(() => {
    const now = [...news.values()];
    news.clear();
    draw(now);
  }, TEXT_PER_SECOND);
  const take = (data) => {
    for (const ticker of data.tickers) if (ticker.last) news.set(ticker.market, ticker);
    paint();
  };
  followTopic("tickers", { snapshot: take, delta: take });
}

export default function quotes(root) {
  const shown = new Map();
  followTickers((tickers) => {
    for (const ticker of tickers) {
      for (const element of root.querySelectorAll(`[data-symbol="${CSS.escape(ticker.market)}"]`)) {
        drawTicker(element, ticker, shown.get(ticker.market));
      }
      shown.set(ticker.market, ticker);
    }
  });
}
