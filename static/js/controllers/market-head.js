// The line above the trading page: last price, the last day, and the page's title.

import { amount } from "format";
import { instrument, ticker } from "market";
import { painter, TEXT_PER_SECOND } from "paint";
import { drawTicker } from "controllers/quotes";

export default function marketHead(head) {
  const last = head.querySelector(".market-last");
  const facts = head.querySelector(".market-facts");
  let before = null;

  const paint = painter(() => {
    const now = ticker.now;
    drawTicker(last, now, before);
    drawTicker(facts, now, null);
    if (before && now.last !== before.last) {
      const risen = now.last.length === before.last.length
        ? now.last > before.last
        : now.last.length > before.last.length;
      const price = last.querySelector(".price");
      price.classList.toggle("up", risen);
      price.classList.toggle("down", !risen);
    }
    document.title = `${amount(now.last)} ${instrument.symbol} · SUM+1`;
    before = now;
  }, TEXT_PER_SECOND);

  ticker.listen((kind) => kind !== "stale" && ticker.now.last && paint());
}
