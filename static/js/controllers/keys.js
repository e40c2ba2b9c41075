// The list of keys: opened by "?" and by buttons, closed by Escape.

import { setting } from "settings";
import { onKey } from "shortcuts";

export default function keys(dialog) {
  const note = dialog.querySelector("[data-keys-off]");

  function open() {
    note.hidden = setting("keys") !== "off";
    dialog.showModal();
  }

  onKey("?", open);
  for (const button of document.querySelectorAll("[data-open-keys]")) {
    button.addEventListener("click", open);
  }
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
