// The bell: how much is unread, and a word about what has just come.

import { followNotices } from "notices";
import { toast } from "toast";

const SHOWN_MAX = 99;

export default function bell(element) {
  const count = element.querySelector("[data-count]");
  let newest = null;
  followNotices(({ unread, notices, changed }) => {
    count.textContent = unread > SHOWN_MAX ? `${SHOWN_MAX}+` : String(unread);
    count.hidden = unread === 0;
    element.setAttribute("aria-label", unread ? `Notices, ${unread} unread` : "Notices");
    for (const notice of changed ?? []) {
      const isNews = !notice.read_at && newest !== null && BigInt(notice.id) > newest;
      if (isNews) toast(notice.title, { kind: "plain", href: element.href, label: "Notices" });
    }
    for (const notice of notices) {
      if (newest === null || BigInt(notice.id) > newest) newest = BigInt(notice.id);
    }
    newest ??= 0n;
  });
}
