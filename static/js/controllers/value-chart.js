// Reading a value off the portfolio's line: a cursor follows the pointer or the arrow keys.

import { fixed, moment } from "format";

const SVG = "http://www.w3.org/2000/svg";

export default function valueChart(figure) {
  const series = JSON.parse(figure.dataset.series);
  const picture = figure.querySelector(".value-chart");
  const tip = figure.querySelector("[data-tip]");
  const cursor = document.createElementNS(SVG, "line");
  cursor.setAttribute("class", "value-cursor");
  cursor.setAttribute("vector-effect", "non-scaling-stroke");
  cursor.setAttribute("y1", "0");
  cursor.setAttribute("y2", "200");
  let at = series.length - 1;
  picture.tabIndex = 0;

  function show(index) {
    at = Math.max(0, Math.min(series.length - 1, index));
    const [time, value] = series[at];
    const x = (at * 600) / (series.length - 1);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    if (!cursor.isConnected) picture.append(cursor);
    tip.hidden = false;
    tip.textContent = `${moment(time)} · ${fixed(value, 2)} USDT`;
    const box = picture.getBoundingClientRect();
    const left = box.left + (box.width * at) / (series.length - 1) - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, left))}px`;
    tip.style.top = `${box.top - tip.offsetHeight - 4}px`;
  }

  function hide() {
    tip.hidden = true;
    cursor.remove();
  }

  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    show(Math.round(((event.clientX - box.left) / box.width) * (series.length - 1)));
  });
  picture.addEventListener("pointerleave", hide);
  picture.addEventListener("blur", hide);
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}
