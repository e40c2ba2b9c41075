"""The call auction: one price for everybody, and who trades with whom at it.

Pure questions of two queues; ``halts.py`` says when they are asked and carries the answer out. The
price is the one at which most trades; of several the one that leaves the least over, then the one
nearest the reference, then the lowest.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from apps.engine.book import Book, Order, Side


@dataclass
class Uncrossing:
    """``price_ticks`` is zero where nobody trades.

    ``expired`` are pairs of one trade group that would have met: the newer order of each ends.
    """

    price_ticks: int = 0
    fills: list[tuple[Order, Order, int]] = field(default_factory=list)
    expired: list[tuple[Order, Order]] = field(default_factory=list)


def uncrossing(book: Book) -> Uncrossing:
    """What the book would do now. Who would trade with himself leaves before there is a price."""
    found = Uncrossing()
    bids, asks = _queue(book.bids), _queue(book.asks)
    while True:
        found.price_ticks = auction_price_ticks(
            [(order.price_ticks, order.remaining_lots) for order in bids],
            [(order.price_ticks, order.remaining_lots) for order in asks],
            book.reference_ticks,
        )
        found.fills = _fills(bids, asks, found.price_ticks)
        conflict = next((pair for pair in found.fills if _is_conflict(pair)), None)
        if conflict is None:
            return found
        bid, ask, _ = conflict
        older, newer = (bid, ask) if bid.order_id < ask.order_id else (ask, bid)
        found.expired.append((older, newer))
        queue = bids if newer is bid else asks
        queue.remove(newer)


def _queue(side: Side) -> list[Order]:
    return [order for level in side.best_first() for order in level.orders.values()]


def _is_conflict(pair: tuple[Order, Order, int]) -> bool:
    bid, ask, _ = pair
    return bid.account.trade_group == ask.account.trade_group


def auction_price_ticks(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference_ticks: int
) -> int:
    """The price of an auction of these (price, lots), best first; zero where none cross.

    Demand and supply change at the prices of orders only, so that one tick inside of each of these
    steps, besides the steps themselves and the reference, every answer can be found.
    """
    if not bids or not asks or bids[0][0] < asks[0][0]:
        return 0
    lowest, highest = asks[0][0], bids[0][0]
    bid_prices = [-price for price, _ in bids]
    ask_prices = [price for price, _ in asks]
    demand = [0, *accumulate(lots for _, lots in bids)]
    supply = [0, *accumulate(lots for _, lots in asks)]
    candidates = {reference_ticks}
    for price, _ in bids:
        candidates.update((price, price + 1))
    for price, _ in asks:
        candidates.update((price, price - 1))
    best = (0, 0, 0, 0)
    for price in sorted(candidates):
        if not lowest <= price <= highest:
            continue
        wanted = demand[bisect_right(bid_prices, -price)]
        offered = supply[bisect_right(ask_prices, price)]
        away = abs(price - reference_ticks) if reference_ticks else 0
        rank = (min(wanted, offered), -abs(wanted - offered), -away, -price)
        if not best[0] or rank > best:
            best = rank
    return -best[3]


def _fills(
    bids: list[Order], asks: list[Order], price_ticks: int
) -> list[tuple[Order, Order, int]]:
    """Who gets how many lots: best price first on both sides, at one price the oldest."""
    fills: list[tuple[Order, Order, int]] = []
    if not price_ticks:
        return fills
    bid_count = bisect_right([-order.price_ticks for order in bids], -price_ticks)
    ask_count = bisect_right([order.price_ticks for order in asks], price_ticks)
    bid_number = ask_number = 0
    bid_left = bids[0].remaining_lots
    ask_left = asks[0].remaining_lots
    while bid_number < bid_count and ask_number < ask_count:
        lots = min(bid_left, ask_left)
        fills.append((bids[bid_number], asks[ask_number], lots))
        bid_left -= lots
        ask_left -= lots
        if not bid_left:
            bid_number += 1
            bid_left = bids[bid_number].remaining_lots if bid_number < bid_count else 0
        if not ask_left:
            ask_number += 1
            ask_left = asks[ask_number].remaining_lots if ask_number < ask_count else 0
    return fills
