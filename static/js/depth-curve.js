// The depth of a book: how much stands between the middle and a price. Exact amounts, no page.

import * as decimal from "decimal";

const MOST_BASIS = 95n;

/** Points from the best price on: {price, sum, value}, sums including the point's own level. */
function pointsOf(levels) {
  let sum = decimal.ZERO;
  let value = decimal.ZERO;
  return levels.map(([price, quantity]) => {
    sum += quantity;
    value += decimal.multiply(quantity, price);
    return { price, sum, value };
  });
}

/** The middle between the best prices, and both curves; null where a side is empty. */
export function curveOf({ bids, asks }) {
  if (!bids.length || !asks.length) return null;
  const middle = (bids[0][0] + asks[0][0]) / 2n;
  return { middle, bids: pointsOf(bids), asks: pointsOf(asks) };
}

/** How far the levels reach from the middle, on the side that reaches further. */
export function reachOf(curve) {
  return decimal.most(
    curve.middle - curve.bids.at(-1).price,
    curve.asks.at(-1).price - curve.middle,
  );
}

/** How far to look at first: to where nearly all of either side stands. A few far orders, which any
 * book has, would leave the rest of it a line in the middle. */
export function usualSpan(curve) {
  const spans = [curve.bids, curve.asks].map((points) => {
    const most = (points.at(-1).sum * MOST_BASIS) / 100n;
    const { price } = points.find((point) => point.sum >= most);
    return price > curve.middle ? price - curve.middle : curve.middle - price;
  });
  return decimal.most(...spans);
}

/** What stands between the middle and this price: {side, sum, value}. */
export function standingAt(curve, price) {
  const side = price < curve.middle ? "bids" : "asks";
  const within = side === "bids" ? (at) => at >= price : (at) => at <= price;
  let found = { sum: decimal.ZERO, value: decimal.ZERO };
  for (const point of curve[side]) {
    if (!within(point.price)) break;
    found = point;
  }
  return { side, sum: found.sum, value: found.value };
}

/** The distance from the middle in percent, as text with two decimals. */
export function distanceText(curve, price) {
  const gap = price > curve.middle ? price - curve.middle : curve.middle - price;
  return decimal.text((((gap * 10_000n) / curve.middle) * decimal.ONE) / 100n, 2);
}
