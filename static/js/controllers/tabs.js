// Tabs by the keyboard and the pointer; the address keeps which one is open where it has a name.

export default function tabs(root) {
  const list = root.matches("[role=tablist]") ? root : root.querySelector("[role=tablist]");
  const all = [...list.querySelectorAll("[role=tab]")];
  const parameter = root.dataset.tabParameter;

  function choose(tab, focus) {
    for (const each of all) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      const panel = document.getElementById(each.getAttribute("aria-controls"));
      if (panel?.matches("[role=tabpanel]")) panel.hidden = !chosen;
    }
    if (focus) tab.focus();
    if (parameter) {
      const address = new URL(location.href);
      address.searchParams.set(parameter, tab.id.replace("tab-", ""));
      history.replaceState(history.state, "", address);
    }
    root.dispatchEvent(new CustomEvent("tab", { bubbles: true, detail: { tab } }));
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (!tab) return;
    event.preventDefault();
    choose(tab, false);
  });
  list.addEventListener("keydown", (event) => {
    // Some tabs are there on a phone alone.
    const shown = all.filter((tab) => tab.offsetParent);
    const at = shown.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0) return;
    if (step) choose(shown[(at + step + shown.length) % shown.length], true);
    else if (event.key === "Home") choose(shown[0], true);
    else if (event.key === "End") choose(shown.at(-1), true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
