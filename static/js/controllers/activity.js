// The person's orders, fills and balances under the chart, live. The first rows are the server's.

import { account, follow, loadEnded, noteOrder } from "account";
import { moment } from "format";
import { instrument, trades } from "market";
import { cancel, cancelAll } from "orders";
import { balanceCells, cancelWords, fillCells, orderCells, resultWords, statusWords } from "order-words";
import { remember, remembered } from "memory";
import { painter, TEXT_PER_SECOND } from "paint";
import { fill, sync } from "rows";
import { toast } from "toast";

const ONLY_KEY = "onlyMarket";

export default function activity(root) {
  const part = (name) => root.querySelector(`[data-${name}]`);
  const only = part("only-market");
  if (!only) return;
  const openRows = part("open-rows");
  const count = part("open-count");
  const summary = part("activity-summary");
  const known = new Map();
  const asked = new Set();
  let told = false;
  let history = "unread";

  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time.getAttribute("datetime")) time.textContent = moment(time.getAttribute("datetime"));
  }

  const here = (row) => !only.checked || row.market === instrument.symbol;

  function sideClass(row, side) {
    const cell = row.querySelector("[data-field=side]");
    cell.classList.toggle("up", side === "buy");
    cell.classList.toggle("down", side === "sell");
  }

  const purchaseIsOpen = (order) => account.orders.has(order.parent_order_id);

  function drawOpen() {
    const orders = [...account.orders.values()]
      .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1))
      .filter(here);
    sync(openRows, part("open-template"), orders, (row, order) => {
      fill(row, orderCells(order, order.created_at));
      sideClass(row, order.side);
      const button = row.querySelector("[data-cancel-button]");
      const words = `${order.side} ${order.quantity ?? ""} ${order.market}`;
      const paired = Boolean(order.pair_order_id);
      row.toggleAttribute("data-paired", paired);
      row.querySelector("[data-link-note]").hidden = !paired;
      const ends = cancelWords(order, purchaseIsOpen(order));
      button.querySelector("span").textContent = ends.button;
      const parts = [ends.button, ends.what, words];
      button.setAttribute("aria-label", parts.filter(Boolean).join(": "));
      row.querySelector("[data-change]").setAttribute("aria-label", `Change: ${words}`);
      button.setAttribute("aria-busy", String(asked.has(order.id)));
    });
    part("open-empty").hidden = orders.length > 0;
    const text = String(account.orders.size);
    if (count.textContent !== text) count.textContent = text;
  }

  function drawEnded() {
    const ended = account.ended.filter(here);
    sync(part("history-rows"), part("history-template"), ended, (row, order) => {
      fill(row, orderCells(order, order.updated_at));
      sideClass(row, order.side);
    });
    part("history-empty").hidden = ended.length > 0 || history !== "loaded";
    part("history-loading").hidden = history !== "loading" || ended.length > 0;
    part("history-failed").hidden = history !== "failed";
  }

  /** The history is read when it is first looked at. */
  async function showHistory() {
    if (history === "loading" || history === "loaded") return;
    history = "loading";
    paint();
    try {
      await loadEnded();
      history = "loaded";
    } catch {
      history = "failed";
    }
    paint();
  }

  function drawFills() {
    const fills = account.fills.filter(here);
    sync(part("fill-rows"), part("fill-template"), fills, (row, each) => {
      fill(row, fillCells(each));
      sideClass(row, each.side);
    });
    part("fill-empty").hidden = fills.length > 0;
  }

  function drawBalances() {
    const body = part("balance-rows");
    for (const balance of account.balances.values()) {
      let row = body.querySelector(`[data-id="${CSS.escape(balance.asset)}"]`);
      if (!row) {
        row = part("balance-template").content.firstElementChild.cloneNode(true);
        row.dataset.id = balance.asset;
        const use = row.querySelector("use");
        use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${balance.asset}`);
        body.append(row);
      }
      row.hidden = only.checked && !trades(balance.asset);
      fill(row, balanceCells(balance));
    }
  }

  const paint = painter(() => {
    if (account.listed) drawOpen();
    if (!account.ready) return;
    // Until it is read, the rows that the server drew stand.
    if (history !== "unread") drawEnded();
    drawFills();
    drawBalances();
  }, TEXT_PER_SECOND);

  /** What happened to orders of this page without a click on it: said once, in words. */
  function announce(kind, data) {
    for (const order of data.orders ?? []) {
      const before = known.get(order.id);
      known.set(order.id, order.filled_quantity + order.status);
      if (kind !== "delta" || !told || before === undefined) continue;
      if (before !== order.filled_quantity + order.status && !asked.has(order.id)) {
        summary.textContent = `${order.market}: ${statusWords(order)}`;
        if (order.status === "filled" || order.status === "expired") toast(resultWords(order));
      }
    }
    if (kind === "snapshot") told = true;
  }

  async function stop(id, button) {
    if (asked.has(id)) return;
    asked.add(id);
    const order = account.orders.get(id);
    const withPurchase = Boolean(order) && purchaseIsOpen(order);
    button.setAttribute("aria-busy", "true");
    try {
      const ended = await cancel(id);
      noteOrder(ended);
      toast(cancelWords(ended, withPurchase).done, { kind: "plain" });
    } catch (error) {
      asked.delete(id);
      toast(error.message, { kind: "bad" });
      button.setAttribute("aria-busy", "false");
    }
  }

  root.addEventListener("submit", async (event) => {
    if (event.target.matches("[data-cancel]")) {
      event.preventDefault();
      stop(event.target.closest("tr").dataset.id, event.target.querySelector("button"));
    } else if (event.target.matches("[data-cancel-all]")) {
      event.preventDefault();
      const button = event.target.querySelector("button");
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      const before = account.orders.size;
      try {
        await cancelAll(only.checked ? instrument.symbol : "");
        toast(before ? "Your open orders are cancelled." : "There was nothing to cancel.", {
          kind: "plain",
        });
      } catch (error) {
        toast(error.message, { kind: "bad" });
      } finally {
        button.setAttribute("aria-busy", "false");
      }
    }
  });

  openRows.addEventListener("click", async (event) => {
    const row = event.target.closest("[data-change]")?.closest("tr");
    const order = account.orders.get(row?.dataset.id);
    if (!order) return;
    const { changeInDialog } = await import("amend");
    changeInDialog(order);
  });

  only.checked = remembered(ONLY_KEY) === "yes";
  only.addEventListener("change", () => {
    remember(ONLY_KEY, only.checked ? "yes" : "no");
    paint();
  });

  root.addEventListener("tab", (event) => {
    if (event.detail.tab.id === "tab-history") showHistory();
  });
  part("history-retry").addEventListener("click", showHistory);
  if (!document.getElementById("panel-history").hidden) showHistory();

  follow((kind, data) => {
    announce(kind, data);
    root.classList.toggle("is-stale", kind === "stale");
    paint();
  });
}
