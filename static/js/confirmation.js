// Asking once more before a large order: from which worth on, and the dialog that says what will
// happen. Worth is counted in the asset that everything is valued in.

import * as decimal from "decimal";
import { setting } from "settings";

const dialog = document.getElementById("confirm-order");

/** Whether an order of this value in the quote asset is one to ask about. */
export function isLarge(notional) {
  const { quoteWorth, confirmFrom } = dialog.dataset;
  const from = decimal.parseTyped(setting("ask-at") || confirmFrom);
  const worth = decimal.parse(quoteWorth);
  // Without a price nobody knows how much it is: better asked than not.
  if (from === null || worth === null) return true;
  return decimal.multiply(notional, worth) >= from;
}

/** Show the sentences; resolves to whether the person goes ahead. */
export function confirmed({ title, lines, button, side }) {
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector("[data-lines]").replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
  const go = dialog.querySelector("[data-go]");
  go.textContent = button;
  go.classList.toggle("button--buy", side === "buy");
  go.classList.toggle("button--sell", side === "sell");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "go"), { once: true });
  });
}

dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
