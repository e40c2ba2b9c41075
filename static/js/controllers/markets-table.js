// The table of markets: live numbers in place, search and order without a round trip. Rows change
// places only while neither the pointer nor the focus is in the table.

import * as decimal from "decimal";
import { drawTicker, followTickers } from "controllers/quotes";

const REORDER_MS = 5000;

export default function marketsTable(panel) {
  const body = panel.querySelector("[data-rows]");
  const empty = panel.querySelector("[data-empty]");
  const tools = document.querySelector("[data-market-tools]");
  const search = tools.querySelector("input[type=search]");
  const state = readAddress();
  const shown = new Map();
  let dirty = false;

  function readAddress() {
    const query = new URL(location.href).searchParams;
    return { sort: query.get("sort") ?? "", falling: query.get("dir") === "desc" };
  }

  function writeAddress() {
    const address = new URL(location.href);
    const put = (name, value) => {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    };
    put("q", search.value.trim());
    put("sort", state.sort);
    put("dir", state.sort && state.falling ? "desc" : "");
    history.replaceState(history.state, "", address);
  }

  const keyOf = {
    market: (row) => row.dataset.symbol,
    last: (row) => decimal.parse(row.dataset.last) ?? 0n,
    change: (row) => decimal.parse(row.dataset.change) ?? 0n,
    volume: (row) => BigInt(row.dataset.volume || 0),
  };

  function order() {
    if (!state.sort) return;
    const key = keyOf[state.sort];
    const rows = [...body.rows];
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      const sign = x < y ? -1 : x > y ? 1 : 0;
      return state.falling ? -sign : sign;
    });
    if (sorted.some((row, index) => row !== rows[index])) body.append(...sorted);
  }

  function filter() {
    const wanted = search.value.trim().toLowerCase().replace("/", "-");
    let left = 0;
    for (const row of body.rows) {
      const fits =
        row.dataset.symbol.toLowerCase().includes(wanted) || row.dataset.name.includes(wanted);
      row.hidden = !fits;
      if (fits) left += 1;
    }
    empty.hidden = left > 0;
  }

  function markHeads() {
    for (const link of panel.querySelectorAll("[data-sort]")) {
      const head = link.closest("th");
      if (link.dataset.sort !== state.sort) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
    }
  }

  panel.querySelector("thead").addEventListener("click", (event) => {
    const link = event.target.closest("[data-sort]");
    if (!link) return;
    event.preventDefault();
    const name = link.dataset.sort;
    state.falling = state.sort === name ? !state.falling : name !== "market";
    state.sort = name;
    markHeads();
    order();
    writeAddress();
  });
  search.addEventListener("input", () => {
    filter();
    writeAddress();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());

  setInterval(() => {
    if (!dirty || document.hidden) return;
    if (body.matches(":hover") || body.contains(document.activeElement)) return;
    dirty = false;
    order();
  }, REORDER_MS);

  followTickers((tickers) => {
    for (const ticker of tickers) {
      const row = body.querySelector(`tr[data-symbol="${CSS.escape(ticker.market)}"]`);
      if (!row) continue;
      row.dataset.last = ticker.last;
      row.dataset.change = ticker.change;
      drawTicker(row, ticker, shown.get(ticker.market));
      shown.set(ticker.market, ticker);
      dirty = true;
    }
  });
}
