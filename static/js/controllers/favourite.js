// The star of a market: kept in the cookie that the form without scripts sets too.

const YEAR_SECONDS = 400 * 24 * 3600;
const MOST = 50;

function chosen() {
  const found = /(?:^|; )sum1_favourites=([^;]*)/.exec(document.cookie);
  return found ? found[1].split("_").filter(Boolean) : [];
}

export default function favourite(form) {
  const button = form.querySelector("button");
  const symbol = form.elements.market.value;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const others = chosen().filter((each) => each !== symbol);
    const now = button.getAttribute("aria-pressed") !== "true";
    const value = (now ? [...others, symbol] : others).slice(-MOST).join("_");
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `sum1_favourites=${value}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
    button.setAttribute("aria-pressed", String(now));
    form.dispatchEvent(new CustomEvent("favourite", { bubbles: true, detail: { symbol, now } }));
  });
}
