// What spans the trading page: what is drawn, the order sheet, and the keys that order.

import { onKey } from "shortcuts";

const PHONE = matchMedia("(max-width: 47.99rem)");

export default function desk(root) {
  const form = document.getElementById("order-panel");
  const bar = document.querySelector(".order-bar");
  let opener = null;

  const open = (selector) => root.querySelector(`${selector}[aria-selected=true]`);
  root.dataset.pane = open("[data-show-pane]").dataset.showPane;
  root.dataset.ladder = open("#tab-book") ? "book" : "tape";

  root.addEventListener("tab", (event) => {
    const { tab } = event.detail;
    if (tab.dataset.showPane) root.dataset.pane = tab.dataset.showPane;
    else if (tab.id === "tab-book" || tab.id === "tab-tape") root.dataset.ladder = tab.id.slice(4);
    // What was hidden has had no size until now.
    dispatchEvent(new Event("resize"));
  });

  function side(name) {
    const radio = form.querySelector(`input[name=side][value=${name}]`);
    radio.checked = true;
    radio.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function openSheet(name, button) {
    opener = button;
    side(name);
    form.classList.add("is-open");
    form.setAttribute("role", "dialog");
    form.setAttribute("aria-modal", "true");
    document.documentElement.classList.add("has-sheet");
    form.querySelector("[name=amount]").focus();
  }

  function closeSheet() {
    if (!form.classList.contains("is-open")) return;
    form.classList.remove("is-open");
    form.removeAttribute("role");
    form.removeAttribute("aria-modal");
    document.documentElement.classList.remove("has-sheet");
    opener?.focus();
  }

  for (const button of bar.querySelectorAll("[data-open-order]")) {
    button.addEventListener("click", () => openSheet(button.dataset.openOrder, button));
  }
  form.querySelector("[data-close-order]").addEventListener("click", closeSheet);
  document.addEventListener("pointerdown", (event) => {
    const dialog = event.target.closest("dialog");
    if (!dialog && !form.contains(event.target) && !bar.contains(event.target)) closeSheet();
  });
  form.addEventListener("ordered", closeSheet);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && form.classList.contains("is-open")) keepInside(event);
  });

  function keepInside(event) {
    const all = [...form.querySelectorAll("a, button, input, select, summary")].filter(
      (each) => !each.disabled && each.tabIndex >= 0 && each.offsetParent,
    );
    const [first, last] = [all[0], all.at(-1)];
    if (event.shiftKey && document.activeElement === first) last.focus();
    else if (!event.shiftKey && document.activeElement === last) first.focus();
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    if (form.contains(document.activeElement)) document.activeElement.blur();
    closeSheet();
  });

  function begin(name) {
    if (PHONE.matches) {
      openSheet(name, document.activeElement);
      return;
    }
    side(name);
    const first = form.querySelector("[name=amount]");
    first.focus();
    first.select();
  }

  onKey("b", () => begin("buy"));
  onKey("s", () => begin("sell"));
}
