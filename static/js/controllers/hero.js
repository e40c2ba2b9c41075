// The live picture on the first page: one market's ticker and the best offers of its book.

import * as decimal from "decimal";
import { amount, fixed } from "format";
import { book, instrument, ticker } from "market";
import { painter, TEXT_PER_SECOND } from "paint";
import { drawTicker } from "controllers/quotes";

export default function hero(root) {
  const rows = [...root.querySelectorAll("[data-rows] tr")];
  let before = null;

  const paintBook = painter(() => {
    rows.forEach((row, index) => {
      const [bidAmount, bid, ask, askAmount] = row.cells;
      write(bidAmount, bid, book.bids[index]);
      write(askAmount, ask, book.asks[index]);
    });
  }, TEXT_PER_SECOND);

  function write(quantity, price, level) {
    quantity.textContent = level ? fixed(decimal.text(level[1]), instrument.quantityPlaces) : "–";
    price.textContent = level ? amount(decimal.text(level[0], instrument.pricePlaces)) : "";
  }

  const paintTicker = painter(() => {
    drawTicker(root, ticker.now, before);
    before = ticker.now;
  }, TEXT_PER_SECOND);

  book.listen((kind) => kind !== "stale" && paintBook());
  ticker.listen((kind) => kind !== "stale" && ticker.now.last && paintTicker());
}
