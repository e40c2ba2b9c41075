// The banner of a market that is at its band or paused: what happens next, how long it lasts, what
// the auction would trade; and, when it is over, once what it has traded.

import { amount } from "format";
import { instrument, ticker } from "market";

const SECOND_MS = 1000;
const RESULT_MS = 20_000;
const NOTHING = "–";
const CALLS = new Set(["auction", "auction_extended", "staff_decide"]);
const SIDES = { buy: "buyers", sell: "sellers" };

export default function marketPhase(element) {
  const cases = element.querySelectorAll("[data-when]");
  const ofAuction = element.querySelectorAll("[data-of-auction]");
  const ofTime = element.querySelector("[data-of-time]");
  const countdown = element.querySelector("[data-countdown]");
  const result = element.querySelector("[data-result]");
  const price = element.querySelector("[data-auction-price]");
  const quantity = element.querySelector("[data-auction-quantity]");
  const imbalance = element.querySelector("[data-auction-imbalance]");
  // What is hidden when it changes is not read out: the status is never hidden, only empty.
  const status = element.parentElement.querySelector("[data-phase-status]");
  let { phase, until } = element.dataset;
  // Of the auction before the one that is called now.
  let auctionAt;
  let timer = 0;
  let ending = 0;

  const count = () => {
    const left = Math.max(0, Math.ceil((Date.parse(until) - Date.now()) / SECOND_MS));
    countdown.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  };

  /** Once for each phase: what is told already is left alone. */
  const tell = () => {
    const words = element.querySelector(`[data-when="${phase}"]`)?.textContent.trim() ?? "";
    if (status.textContent !== words) status.textContent = words;
  };

  const show = () => {
    element.hidden = phase === "trading";
    for (const each of cases) each.hidden = each.dataset.when !== phase;
    tell();
    clearInterval(timer);
    ofTime.hidden = element.hidden || !until;
    if (ofTime.hidden) return;
    count();
    timer = setInterval(count, SECOND_MS);
  };

  const showAuction = (auction) => {
    for (const each of ofAuction) each.hidden = !auction;
    if (!auction) return;
    price.textContent = auction.price ? amount(auction.price) : NOTHING;
    quantity.textContent = `${amount(auction.quantity)} ${instrument.base}`;
    const side = SIDES[auction.imbalance_side];
    imbalance.textContent = side ? `${amount(auction.imbalance)}, ${side}` : "0";
  };

  const showResult = (traded) => {
    result.textContent = traded
      ? `The auction has traded ${amount(traded.quantity)} ${instrument.base} at ${amount(traded.price)}.`
      : "In the auction nothing traded.";
    phase = "reopened";
    ending = setTimeout(() => {
      phase = "trading";
      show();
    }, RESULT_MS);
  };

  const turn = (now) => {
    const wasCalled = CALLS.has(phase);
    if (now.phase !== "trading" || phase !== "reopened") {
      clearTimeout(ending);
      phase = now.phase;
    }
    until = now.phase_until ?? "";
    if (wasCalled && now.phase === "trading") {
      const at = now.last_auction?.at ?? null;
      showResult(at !== auctionAt ? now.last_auction : null);
    }
    show();
  };

  show();
  ticker.listen((kind) => {
    const now = ticker.now;
    if (kind === "stale") return;
    if (auctionAt === undefined || !CALLS.has(phase)) auctionAt = now.last_auction?.at ?? null;
    showAuction(now.auction);
    if (now.phase !== phase || (now.phase_until ?? "") !== until) turn(now);
  });
}
