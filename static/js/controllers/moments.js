// Times come in UTC from the server and are shown in the time of whoever looks.

import { moment } from "format";

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    time.dataset.local = "";
    if (time.getAttribute("datetime")) time.textContent = moment(time.getAttribute("datetime"));
  }
}

export default function moments(root) {
  localise(root);
  new MutationObserver(() => localise(root)).observe(root, { childList: true, subtree: true });
}
