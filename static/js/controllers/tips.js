// Words with an explanation: shown on hover, focus and touch, gone on Escape.

export default function tips(body) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.id = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  body.append(tip);
  let shown = null;

  for (const term of body.querySelectorAll("[data-tip]")) term.tabIndex = 0;

  function show(term) {
    if (term === shown) return;
    hide();
    shown = term;
    tip.textContent = term.dataset.tip;
    tip.hidden = false;
    term.setAttribute("aria-describedby", "tip");
    const box = term.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 8 ? above : box.bottom + 6}px`;
  }

  function hide() {
    shown?.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  }

  body.addEventListener("pointerover", (event) => {
    const term = event.target.closest("[data-tip]");
    if (term) show(term);
    else hide();
  });
  body.addEventListener("focusin", (event) => {
    const term = event.target.closest("[data-tip]");
    if (term) show(term);
    else hide();
  });
  body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("scroll", hide, { capture: true, passive: true });
}
