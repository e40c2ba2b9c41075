// Runs before the first paint: marks that scripts work and restores panel sizes, so nothing jumps.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const sizes = JSON.parse(localStorage.getItem("sum1.panels") || "{}");
    for (const [name, pixels] of Object.entries(sizes)) {
      if (/^[a-z]+$/.test(name) && Number.isInteger(pixels)) {
        root.style.setProperty(`--size-${name}`, `${pixels}px`);
      }
    }
  } catch {
    // Storage is off or holds nonsense: the default sizes stand.
    root.dataset.storage = "off";
  }
})();
