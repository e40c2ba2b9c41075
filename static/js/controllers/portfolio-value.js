// What the account is worth, in the common quote asset, as balances and prices move. What prices
// and trading made of it moves with it: by all that the value has moved since the page was made.

import { account, follow } from "account";
import * as decimal from "decimal";
import { fixed, signed } from "format";
import { followTickers } from "controllers/quotes";
import { painter, TEXT_PER_SECOND } from "paint";

const VALUE_ASSET = "USDT";
const CENT = decimal.ONE / 100n;

export default function portfolioValue(root) {
  const total = root.querySelector("[data-total]");
  const result = root.querySelector("[data-result]");
  const made = result && decimal.parse(result.dataset.result) - decimal.parse(result.dataset.value);
  const prices = new Map([[VALUE_ASSET, decimal.ONE]]);

  const paint = painter(() => {
    if (!account.ready || prices.size === 1) return;
    let sum = decimal.ZERO;
    for (const balance of account.balances.values()) {
      const price = prices.get(balance.asset);
      if (price) sum += decimal.multiply(decimal.parse(balance.total), price);
    }
    const text = fixed(decimal.text(sum), 2);
    if (total && total.textContent !== text) total.textContent = text;
    if (!result) return;
    const units = made + decimal.floorTo(sum, CENT);
    result.firstChild.textContent = signed(units, 2);
    result.classList.toggle("up", units > decimal.ZERO);
    result.classList.toggle("down", units < decimal.ZERO);
  }, TEXT_PER_SECOND);

  followTickers((tickers) => {
    for (const ticker of tickers) {
      const [base, quote] = ticker.market.split("-");
      if (quote === VALUE_ASSET) prices.set(base, decimal.parse(ticker.last));
    }
    paint();
  });
  follow(paint);
}
