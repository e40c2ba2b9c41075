// Tabs by the keyboard and the pointer. The address keeps which one is open where it has a name for
// them; otherwise, and where it says nothing, the layout does.

import { keep, kept } from "layout";

export default function tabs(root) {
  const list = root.matches("[role=tablist]") ? root : root.querySelector("[role=tablist]");
  const all = [...list.querySelectorAll("[role=tab]")];
  const { tabParameter: parameter, tabs: name } = root.dataset;
  const keyOf = (tab) => tab.dataset.showPane ?? tab.id;

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

  function chosenByHand(tab, focus) {
    choose(tab, focus);
    keep("tabs", name, keyOf(tab));
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (!tab) return;
    event.preventDefault();
    chosenByHand(tab, false);
  });
  list.addEventListener("keydown", (event) => {
    // Some tabs are there on a phone alone.
    const shown = all.filter((tab) => tab.offsetParent);
    const at = shown.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0) return;
    if (step) chosenByHand(shown[(at + step + shown.length) % shown.length], true);
    else if (event.key === "Home") chosenByHand(shown[0], true);
    else if (event.key === "End") chosenByHand(shown.at(-1), true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const last = all.find((tab) => keyOf(tab) === kept("tabs")[name] && tab.offsetParent);
  const told = parameter && new URLSearchParams(location.search).has(parameter);
  if (last && !told && last.getAttribute("aria-selected") !== "true") choose(last, false);
}
