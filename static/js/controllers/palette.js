// The palette: "/" from anywhere, type, choose, go. Markets come from the API the first time.

import { amount, percent, direction } from "format";
import { onKey } from "shortcuts";

const MOST = 12;

export default function palette(dialog) {
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const none = dialog.querySelector(".palette-none");
  const entries = JSON.parse(list.dataset.pages).map((page) => ({ ...page, words: page.label }));
  let asked = false;
  let at = 0;

  async function loadMarkets() {
    if (asked) return;
    asked = true;
    let items;
    try {
      const response = await fetch("/api/v1/tickers", { headers: { Accept: "application/json" } });
      ({ items } = await response.json());
    } catch {
      items = null;
    }
    if (!items) {
      // A refusal, or no answer: pages can be found all the same, and markets the next time.
      asked = false;
      return;
    }
    const markets = items.map((ticker) => ({
      label: ticker.market,
      words: ticker.market.replace("-", "/") + ticker.market.replace("-", "") + ticker.market,
      href: `/trade/${ticker.market}`,
      icon: "chart-candlestick",
      ticker,
    }));
    entries.unshift(...markets);
    show();
  }

  function row(entry, index) {
    const link = document.createElement("a");
    link.className = "palette-row";
    link.id = `palette-${index}`;
    link.href = entry.href;
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", String(index === at));
    link.tabIndex = -1;
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", "icon");
    icon.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${list.dataset.icons}#${entry.icon}`);
    icon.append(use);
    const label = document.createElement("span");
    label.textContent = entry.label;
    link.append(icon, label);
    if (entry.ticker?.last) link.append(numbers(entry.ticker));
    return link;
  }

  function numbers(ticker) {
    const box = document.createElement("span");
    box.className = "end number";
    const last = document.createElement("span");
    last.textContent = amount(ticker.last);
    const change = document.createElement("span");
    change.className = direction(ticker.change);
    change.textContent = percent(ticker.change);
    box.append(last, change);
    return box;
  }

  function show() {
    const wanted = input.value.trim().toLowerCase();
    const found = entries.filter((entry) => entry.words.toLowerCase().includes(wanted));
    at = Math.min(at, Math.max(found.length - 1, 0));
    list.replaceChildren(...found.slice(0, MOST).map(row));
    none.hidden = found.length > 0;
    mark();
  }

  function mark() {
    [...list.children].forEach((each, index) => {
      each.setAttribute("aria-selected", String(index === at));
      if (index === at) each.scrollIntoView({ block: "nearest" });
    });
    input.setAttribute("aria-activedescendant", list.children.length ? `palette-${at}` : "");
  }

  function open() {
    if (dialog.open) return;
    input.value = "";
    at = 0;
    show();
    dialog.showModal();
    input.focus();
    loadMarkets();
  }

  onKey("/", open);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    open();
  });
  for (const button of document.querySelectorAll("[data-open-palette]")) {
    button.addEventListener("click", open);
  }
  input.addEventListener("input", () => {
    at = 0;
    show();
  });
  input.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (event.key === "ArrowDown") at = Math.min(at + 1, count - 1);
    else if (event.key === "ArrowUp") at = Math.max(at - 1, 0);
    else if (event.key === "Enter") {
      list.children[at]?.click();
      return;
    } else return;
    event.preventDefault();
    mark();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
