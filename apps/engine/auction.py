"""The call auction: one price for everybody, and who trades with whom at it.

Pure questions of two queues; ``halts.py`` says when they are asked and carries the answer out. The
price is the one at which most trades; of several the one that leaves the least over, then the one
nearest the reference, then the lowest.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from apps.engine.allotting import Member
from apps.engine.book import Book, Order, Side
from apps.engine.escrow import SHARED_LEGS_MAX, Block, share_copiers


@dataclass
class Entry:
    """An order in an auction, with all that is left of it: what is hidden trades, too."""

    order: Order
    lots: int


@dataclass
class Conflict:
    """Two orders that must not meet. Who has to go: an order, or legs of the newer one, a block."""

    older: Order
    newer: Order
    ends: Order | None
    legs: list[Member] = field(default_factory=list)


@dataclass
class Uncrossing:
    """``price_ticks`` is zero where nobody trades; ``conflicts`` are solved before anybody does."""

    price_ticks: int = 0
    fills: list[tuple[Order, Order, int]] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def uncrossing(book: Book, blocks: dict[int, Block]) -> Uncrossing:
    """What the book would do now. Who would trade with himself leaves before there is a price."""
    found = Uncrossing()
    selves = _Selves(blocks)
    bids, asks = _queue(book.bids), _queue(book.asks)
    while True:
        found.price_ticks = auction_price_ticks(
            [(entry.order.price_ticks, entry.lots) for entry in bids],
            [(entry.order.price_ticks, entry.lots) for entry in asks],
            book.reference_ticks,
        )
        found.fills = _fills(bids, asks, found.price_ticks)
        conflict = selves.first_conflict(found.fills)
        if conflict is None:
            return found
        found.conflicts.append(conflict)
        if conflict.ends is None:
            order_id, lots = conflict.newer.order_id, selves.without(conflict)
        else:
            order_id, lots = conflict.ends.order_id, 0
        bids, asks = _changed(bids, order_id, lots), _changed(asks, order_id, lots)


def _queue(side: Side) -> list[Entry]:
    levels = side.best_first()
    return [Entry(order, order.left_lots) for level in levels for order in level.orders.values()]


def _changed(queue: list[Entry], order_id: int, lots: int) -> list[Entry]:
    for entry in queue:
        if entry.order.order_id == order_id:
            entry.lots = lots
    return [entry for entry in queue if entry.lots]


class _Selves:
    """Who must not trade with whom, as legs would leave their blocks; nothing happens yet."""

    def __init__(self, blocks: dict[int, Block]) -> None:
        self.blocks = blocks
        # By the id of a block's order, in the order in which they leave.
        self.gone: dict[int, list[Member]] = {}
        self.gone_ids: set[int] = set()

    def first_conflict(self, fills: list[tuple[Order, Order, int]]) -> Conflict | None:
        for bid, ask, _ in fills:
            older, newer = (bid, ask) if bid.order_id < ask.order_id else (ask, bid)
            found = self._conflict(older, newer)
            if found is not None:
                return found
        return None

    def without(self, conflict: Conflict) -> int:
        """What a block still asks for without the legs that leave it."""
        order_id = conflict.newer.order_id
        gone = self.gone.setdefault(order_id, [])
        gone += conflict.legs
        self.gone_ids.update(member.order_id for member in conflict.legs)
        return self.blocks[order_id].lots_without(gone)

    def _conflict(self, older: Order, newer: Order) -> Conflict | None:
        """As in matching, where the older order would have rested when the newer one came."""
        group = newer.account.trade_group
        is_own = older.account.trade_group == group
        if not is_own and not (self.blocks and share_copiers(self.blocks, older, newer)):
            return None
        resting, coming = self.blocks.get(older.order_id), self.blocks.get(newer.order_id)
        meets_leader = resting is not None and self._has_leg(resting, group)
        if coming is None:
            return Conflict(older, newer, newer) if is_own or meets_leader else None
        if not is_own and not meets_leader:
            groups = [older.account.trade_group]
            if resting is not None:
                groups += [each for each in resting.groups if self._has_leg(resting, each)]
            legs = [leg for leg in coming.legs_of(groups) if leg.order_id not in self.gone_ids]
            if len(legs) <= SHARED_LEGS_MAX:
                return Conflict(older, newer, None, legs) if legs else None
        # Nobody ends a block by an order of his own; of two blocks the newer ends.
        return Conflict(older, newer, older if resting is None else newer)

    def _has_leg(self, block: Block, trade_group: int) -> bool:
        return any(order_id not in self.gone_ids for order_id in block.groups.get(trade_group, ()))


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
    bids: list[Entry], asks: list[Entry], price_ticks: int
) -> list[tuple[Order, Order, int]]:
    """Who gets how many lots: best price first on both sides, at one price the oldest."""
    fills: list[tuple[Order, Order, int]] = []
    if not price_ticks:
        return fills
    bid_count = bisect_right([-entry.order.price_ticks for entry in bids], -price_ticks)
    ask_count = bisect_right([entry.order.price_ticks for entry in asks], price_ticks)
    bid_number = ask_number = 0
    bid_left = bids[0].lots
    ask_left = asks[0].lots
    while bid_number < bid_count and ask_number < ask_count:
        lots = min(bid_left, ask_left)
        fills.append((bids[bid_number].order, asks[ask_number].order, lots))
        bid_left -= lots
        ask_left -= lots
        if not bid_left:
            bid_number += 1
            bid_left = bids[bid_number].lots if bid_number < bid_count else 0
        if not ask_left:
            ask_number += 1
            ask_left = asks[ask_number].lots if ask_number < ask_count else 0
    return fills
