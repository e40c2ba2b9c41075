// Why the account may not buy, as soon as it may not, and no longer than that.

import { follow } from "account";

export default function standing(element) {
  const state = element.querySelector("[data-state]");
  const words = element.querySelector("[data-words]");
  follow((_kind, data) => {
    if (!data.standing) return;
    const { restrictions } = data.standing;
    state.textContent =
      data.standing.state === "blocked" ? "Your account is blocked." : "You can only sell.";
    words.textContent = restrictions.map((each) => each.words).join(" ");
    element.hidden = restrictions.length === 0;
  });
}
