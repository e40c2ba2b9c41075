// Positions at the prices of this moment. What they cost and have made is the server's to say: it
// is asked again after something was traded. A table without a template keeps the rows it has.

import { account, follow } from "account";
import * as decimal from "decimal";
import { amount, brief, fixed, percent, signed, trimmed } from "format";
import { followTickers } from "controllers/quotes";
import { trades } from "market";
import { painter, TEXT_PER_SECOND } from "paint";
import { fill, sync } from "rows";

const VALUE_ASSET = "USDT";
const ASK_GAP_MS = 1000;
const BPS = 10_000n;

/** The position at the newest price; value and unrealised are null where there is no price. */
function priced(position, price) {
  const quantity = decimal.parse(position.quantity);
  if (!price && quantity) return { ...position, value: null, unrealised: null };
  const value = quantity ? decimal.multiply(quantity, decimal.parse(price)) : decimal.ZERO;
  return { ...position, price, value, unrealised: value - decimal.parse(position.cost) };
}

/** Of the cost, in percent with two decimals: rounded as the server rounds it. */
function share(position) {
  const cost = decimal.parse(position.cost);
  if (position.unrealised === null || !cost) return "";
  const made = position.unrealised;
  const bps = ((made < 0n ? -made : made) * 2n * BPS + cost) / (2n * cost);
  return percent(decimal.text(((made < 0n ? -bps : bps) * decimal.ONE) / 100n, 2));
}

function cells(position) {
  return {
    asset: position.asset,
    quantity: trimmed(position.quantity),
    average: position.average_cost ? brief(position.average_cost) : "–",
    price: position.price ? amount(position.price) : "no price",
    value: position.value === null ? "–" : fixed(decimal.text(position.value), 2),
    unrealised: position.unrealised === null ? "–" : signed(position.unrealised, 2),
    percent: share(position),
    realised: signed(decimal.parse(position.realised), 2),
    fees: fixed(position.fees, 2),
  };
}

function colour(cell, units) {
  cell?.classList.toggle("up", units > decimal.ZERO);
  cell?.classList.toggle("down", units < decimal.ZERO);
}

function draw(row, position) {
  fill(row, cells(position));
  colour(row.querySelector("[data-field=result]"), position.unrealised ?? decimal.ZERO);
  colour(row.querySelector("[data-field=realised]"), decimal.parse(position.realised));
}

export default function positions(root) {
  const body = root.querySelector("tbody");
  const template = root.querySelector("template");
  const only = document.querySelector("[data-only-market]");
  const prices = new Map();
  let held = root.dataset.positions ? JSON.parse(root.dataset.positions) : null;
  let asking = 0;
  let fresh = true;

  function drawRows(all) {
    if (!template) {
      for (const position of all) {
        const row = body.querySelector(`[data-id="${CSS.escape(position.asset)}"]`);
        if (row) draw(row, position);
      }
      return;
    }
    const open = all.filter(
      ({ asset, quantity }) => decimal.parse(quantity) && !(only?.checked && !trades(asset)),
    );
    sync(body, template, open.map((position) => ({ id: position.asset, position })), (row, item) => {
      const use = row.querySelector("use");
      use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${item.id}`);
      draw(row, item.position);
    });
    root.querySelector("[data-position-empty]").hidden = open.length > 0;
  }

  function sum(name, all, cash = decimal.ZERO) {
    const cell = root.querySelector(`[data-sum=${name}]`);
    if (!cell) return;
    const units = all.reduce((total, each) => {
      const part = each[name] ?? decimal.ZERO;
      return total + (typeof part === "string" ? decimal.parse(part) : part);
    }, cash);
    const plain = name === "value" || name === "fees";
    const text = plain ? fixed(decimal.text(units), 2) : signed(units, 2);
    if (cell.textContent !== text) cell.textContent = text;
    if (!plain) colour(cell, units);
  }

  const paint = painter(() => {
    if (held === null) return;
    const all = held.map((each) => priced(each, prices.get(each.asset) ?? each.price));
    drawRows(all);
    const cash = account.balances.get(VALUE_ASSET);
    const cell = root.querySelector("[data-cash]");
    if (cash && cell) cell.textContent = fixed(cash.total, 2);
    if (cash) sum("value", all, decimal.parse(cash.total));
    for (const name of ["unrealised", "realised", "fees"]) sum(name, all);
  }, TEXT_PER_SECOND);

  async function ask() {
    asking = 0;
    const response = await fetch("/api/v1/positions", { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`Positions did not come: ${response.status}`);
    held = (await response.json()).items;
    paint();
  }

  function askSoon(gap) {
    if (!asking) asking = setTimeout(() => ask().catch(console.warn), gap);
  }

  followTickers((tickers) => {
    for (const ticker of tickers) {
      const [base, quote] = ticker.market.split("-");
      if (quote === VALUE_ASSET) prices.set(base, ticker.last);
    }
    paint();
  });
  follow((kind, data) => {
    // The first whole state is what the page came with; a later one may hide what was missed.
    const moved = kind === "snapshot" ? !fresh : (data.balances ?? []).length > 0;
    if (kind === "snapshot") fresh = false;
    if (moved && held !== null) askSoon(ASK_GAP_MS);
    paint();
  });
  only?.addEventListener("change", paint);
  if (held === null && !root.hidden) askSoon(0);
  // Behind a tab they are read when they are first looked at.
  document.addEventListener("tab", (event) => {
    if (held === null && event.detail.tab.getAttribute("aria-controls") === root.id) askSoon(0);
  });
}
