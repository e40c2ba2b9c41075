// Which panels of the trading page are shown, and back to how everybody begins.

import { forgetLayout, keep, kept } from "layout";

export default function layout(menu) {
  const root = document.documentElement;
  const panels = [...menu.querySelectorAll("[data-panel]")];

  function draw() {
    const hidden = panels.map((each) => each.dataset.panel).filter((name) => kept("hidden")[name]);
    root.dataset.hide = hidden.join(" ");
    for (const each of panels) {
      each.setAttribute("aria-pressed", String(!hidden.includes(each.dataset.panel)));
    }
    // What is drawn on a canvas or counts its rows has to look at its size again.
    dispatchEvent(new Event("resize"));
  }

  menu.addEventListener("click", (event) => {
    const panel = event.target.closest("[data-panel]")?.dataset.panel;
    if (panel) keep("hidden", panel, !kept("hidden")[panel]);
    else if (event.target.closest("[data-reset-layout]")) reset();
    else return;
    draw();
  });

  function reset() {
    forgetLayout();
    for (const name of [...root.style]) {
      if (name.startsWith("--size-")) root.style.removeProperty(name);
    }
    for (const list of document.querySelectorAll("[role=tablist]")) {
      list.querySelector("[role=tab]")?.click();
    }
    forgetLayout();
  }

  draw();
}
