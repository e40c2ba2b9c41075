// The list of other markets: its numbers are followed only from the moment it is first opened.

import quotes from "controllers/quotes";

export default function marketMenu(details) {
  details.addEventListener("toggle", () => quotes(details), { once: true });
}
