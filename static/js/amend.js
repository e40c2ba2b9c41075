// The dialog that changes an open order: its prices and its amount, refusals at their fields. It is
// fetched when somebody first wants to change one.

import { changeOrder, realChanges } from "order-change";
import { linkLines } from "order-links";

const FIELDS = ["stop_price", "price", "quantity"];

const dialog = document.getElementById("amend-order");
const form = dialog.querySelector("form");
const message = dialog.querySelector("[data-message]");
const links = dialog.querySelector("[data-links]");
const button = form.querySelector("button");
let order = null;

const box = (name) => dialog.querySelector(`[data-field-of=${name}]`);

function say(name, words) {
  box(name).querySelector("[data-error]").textContent = words;
  box(name).toggleAttribute("data-invalid", Boolean(words));
}

/** Show the order's terms, to be changed. */
export function changeInDialog(wanted) {
  order = wanted;
  for (const name of FIELDS) {
    // The amount of one of two is the other's as well.
    const has = Boolean(order[name]) && !(name === "quantity" && order.pair_order_id);
    box(name).hidden = !has;
    form.elements[name].value = has ? order[name] : "";
    say(name, "");
  }
  const [base, quote] = order.market.split("-");
  for (const unit of dialog.querySelectorAll("[data-unit]")) {
    unit.textContent = unit.dataset.unit === "base" ? base : quote;
  }
  message.textContent = "";
  sayLinks();
  dialog.showModal();
  form.elements[order.price ? "price" : "stop_price"].select();
}

function sayLinks() {
  const lines = linkLines(order, sayLinks);
  const text = lines.join(" ");
  if (links.textContent !== text) links.textContent = text;
}

async function send() {
  const typed = FIELDS.filter((name) => order[name] && !box(name).hidden).map((name) => [name, form.elements[name].value]);
  const changes = realChanges(order, Object.fromEntries(typed));
  if (!Object.keys(changes).length) {
    message.textContent = "Nothing is changed yet.";
    return;
  }
  button.setAttribute("aria-busy", "true");
  try {
    if (await changeOrder(order, changes)) dialog.close();
  } catch (error) {
    const name = FIELDS.includes(error.field) && !box(error.field).hidden ? error.field : "";
    if (name) say(name, error.message);
    else message.textContent = error.message;
  } finally {
    button.removeAttribute("aria-busy");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-busy") !== "true") send();
});
form.addEventListener("input", (event) => {
  say(event.target.name, "");
  message.textContent = "";
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
