// A bar between two panels: drag it, or move it by the arrow keys. Sizes are remembered.

import { keep } from "layout";

const LIMITS = { ladder: [220, 520], activity: [140, 560] };
const STEP = 16;

export default function splitter(bar) {
  const name = bar.dataset.splitter;
  const [least, most] = LIMITS[name];
  const property = `--size-${name}`;
  const root = document.documentElement;
  const column = bar.getAttribute("aria-orientation") === "vertical";
  const panel = document.querySelector(name === "ladder" ? ".desk-ladder" : ".desk-activity");

  function measure() {
    const box = panel.getBoundingClientRect();
    return Math.round(column ? box.width : box.height);
  }

  function set(size) {
    const kept = Math.max(least, Math.min(most, Math.round(size)));
    root.style.setProperty(property, `${kept}px`);
    bar.setAttribute("aria-valuenow", kept);
    keep("sizes", name, kept);
    dispatchEvent(new Event("resize"));
  }

  bar.setAttribute("aria-valuemin", least);
  bar.setAttribute("aria-valuemax", most);
  bar.setAttribute("aria-valuenow", measure());

  bar.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const from = measure();
    const start = column ? event.clientX : event.clientY;
    const move = (moved) => set(from - ((column ? moved.clientX : moved.clientY) - start));
    bar.setPointerCapture(event.pointerId);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), {
      once: true,
    });
  });
  bar.addEventListener("dblclick", () => {
    root.style.removeProperty(property);
    keep("sizes", name, undefined);
    dispatchEvent(new Event("resize"));
  });
  bar.addEventListener("keydown", (event) => {
    const grow = column ? "ArrowLeft" : "ArrowUp";
    const shrink = column ? "ArrowRight" : "ArrowDown";
    if (event.key === grow) set(measure() + STEP);
    else if (event.key === shrink) set(measure() - STEP);
    else return;
    event.preventDefault();
  });
}
