// Runs before the first paint: marks that scripts work and restores the layout, so nothing jumps.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const name = `sum1.${root.dataset.account || "guest"}.layout`;
    const { sizes = {}, hidden = {} } = JSON.parse(localStorage.getItem(name) || "{}");
    for (const [panel, pixels] of Object.entries(sizes)) {
      if (/^[a-z]+$/.test(panel) && Number.isInteger(pixels)) {
        root.style.setProperty(`--size-${panel}`, `${pixels}px`);
      }
    }
    root.dataset.hide = Object.keys(hidden).filter((panel) => hidden[panel]).join(" ");
  } catch {
    // Storage is off or holds nonsense: the layout is the one that everybody begins with.
    root.dataset.storage = "off";
  }
})();
