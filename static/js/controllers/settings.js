// Settings of this browser: switches and the amount from which an order is asked about.

import * as decimal from "decimal";
import { set, setting } from "settings";

const ring = () => import("sound").then(({ chime }) => chime(), reportError);

export default function settings(root) {
  root.hidden = false;
  const switches = [...root.querySelectorAll("[data-setting]")];
  const amount = root.querySelector("[data-confirm-from]");

  function draw() {
    for (const each of switches) {
      each.setAttribute("aria-pressed", String(setting(each.dataset.setting) === "on"));
    }
    if (amount && document.activeElement !== amount) amount.value = setting("ask-at");
  }

  for (const each of switches) {
    each.addEventListener("click", () => {
      const name = each.dataset.setting;
      set(name, setting(name) === "on" ? "off" : "on");
      if (name === "sound" && setting(name) === "on") ring();
    });
  }
  amount?.addEventListener("input", () => {
    const text = amount.value.trim();
    const fine = text === "" || decimal.parseTyped(text) !== null;
    amount.toggleAttribute("aria-invalid", !fine);
    if (fine) set("ask-at", text);
  });
  document.addEventListener("setting", draw);
  draw();
}
