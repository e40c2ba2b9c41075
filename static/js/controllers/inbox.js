// The inbox stays as it is told: new notices come on top, those read elsewhere are no longer new.

import { followNotices } from "notices";

export default function inbox(list) {
  const { show } = list.dataset;
  const template = document.getElementById("notice-row");
  const count = document.querySelector("[data-unread]");
  const readAll = document.querySelector("[data-read-all]");
  const empty = document.querySelector("[data-empty]");

  const find = (id) => list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  const fits = (notice) => !show || (show === "unread" ? !notice.read_at : notice.category === show);

  followNotices(({ unread, notices }) => {
    for (const notice of [...notices].reverse()) {
      const row = find(notice.id);
      if (row) row.toggleAttribute("data-new", !notice.read_at);
      else if (fits(notice) && isNewest(notice)) list.prepend(made(notice));
    }
    count.textContent = String(unread);
    count.hidden = unread === 0;
    empty.hidden = list.children.length > 0;
    if (!readAll) return;
    readAll.hidden = unread === 0;
    if (list.firstElementChild) readAll.elements.up_to.value = list.firstElementChild.dataset.id;
  });

  /** What is older than what is shown belongs on another page. */
  function isNewest(notice) {
    const first = list.firstElementChild;
    return !first || BigInt(notice.id) > BigInt(first.dataset.id);
  }

  function made(notice) {
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.id = notice.id;
    row.dataset.category = notice.category;
    row.toggleAttribute("data-new", !notice.read_at);
    row.querySelector("form").action = `/notifications/${encodeURIComponent(notice.id)}/open`;
    row.querySelector("[data-title]").textContent = notice.title;
    row.querySelector("[data-text]").textContent = notice.text;
    row.querySelector("time").setAttribute("datetime", notice.created_at);
    return row;
  }
}
