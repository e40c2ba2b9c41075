// The notice of a market that is at its band or paused: which one it is, and how long it lasts.

import { ticker } from "market";

const SECOND_MS = 1000;

export default function marketPhase(element) {
  const cases = element.querySelectorAll("[data-when]");
  const countdowns = element.querySelectorAll("[data-countdown]");
  let { phase, until } = element.dataset;
  let timer = 0;

  const count = () => {
    const left = Math.max(0, Math.ceil((Date.parse(until) - Date.now()) / SECOND_MS));
    const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    for (const each of countdowns) each.textContent = text;
  };

  const show = () => {
    element.hidden = phase === "trading";
    for (const each of cases) each.hidden = each.dataset.when !== phase;
    clearInterval(timer);
    if (element.hidden || !until) return;
    count();
    timer = setInterval(count, SECOND_MS);
  };

  show();
  ticker.listen((kind) => {
    const now = ticker.now;
    if (kind === "stale" || (now.phase === phase && (now.phase_until ?? "") === until)) return;
    phase = now.phase;
    until = now.phase_until ?? "";
    show();
  });
}
