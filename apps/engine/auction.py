"""The call auction: one price for everybody, and who trades with whom at it.

Pure questions of two queues; ``halts.py`` says when they are asked and carries the answers out. The
price is the one at which most trades; of several the one that leaves the least over, then the one
nearest the reference, then the lowest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import accumulate, chain, islice
from typing import Final

from apps.engine.allotting import Member
from apps.engine.book import Book, Order, Side
from apps.engine.escrow import SHARED_LEGS_MAX, Block, share_copiers

# Looks at an order for one step of who would meet himself: not for ever in a hostile book.
LOOKS_MAX: Final = 20_000
# Of each side, for each of those who go in one step.
FIRST_PER_CONFLICT: Final = 4


@dataclass
class Conflict:
    """Two orders that must not meet. Who has to go: an order, or legs of the newer one, a block."""

    older: Order
    newer: Order
    ends: Order | None
    legs: list[Member] = field(default_factory=list)


@dataclass
class Uncrossing:
    """``price_ticks`` is zero where nobody trades; ``conflicts`` are solved before anybody does.

    ``surplus_lots`` are what is left over at the price, of buyers; below zero of sellers.
    ``is_whole`` says that there are no more conflicts than were asked for, ``order_count`` of how
    many orders all that was found.
    """

    price_ticks: int = 0
    quantity_lots: int = 0
    surplus_lots: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    is_whole: bool = True
    order_count: int = 0


@dataclass
class Meeting:
    """Who gets how many lots next, up to a conflict; ``is_last``: then nobody trades any more."""

    fills: list[tuple[Order, Order, int]] = field(default_factory=list)
    conflict: Conflict | None = None
    is_last: bool = True


def is_crossed(book: Book) -> bool:
    best_ask = book.asks.best_ticks()
    return 0 < best_ask <= book.bids.best_ticks()


def uncrossing(
    book: Book, blocks: dict[int, Block], conflicts_max: int, *, needs_price: bool = False
) -> Uncrossing:
    """What the book would do now. Who would trade with himself leaves before there is a price.

    Where more would than may go at once there is no price yet, unless one is needed anyway.
    """
    if not is_crossed(book):
        return Uncrossing()
    best_bid, best_ask = book.bids.best_ticks(), book.asks.best_ticks()
    if not needs_price:
        # Where very many have to go, those of one step are found among the first.
        count = FIRST_PER_CONFLICT * conflicts_max
        found = Uncrossing()
        bids, asks = _Queue(book.bids, best_ask, count), _Queue(book.asks, best_bid, count)
        if _part(bids, asks, blocks, found, conflicts_max) and not found.is_whole:
            return found
    bids, asks = _Queue(book.bids, best_ask, 0), _Queue(book.asks, best_bid, 0)
    found = Uncrossing(order_count=len(bids.orders) + len(asks.orders))
    _part(bids, asks, blocks, found, conflicts_max)
    if found.is_whole or needs_price:
        found.price_ticks, found.quantity_lots, found.surplus_lots = auction_price(
            bids.rows(), asks.rows(), book.reference_ticks
        )
    return found


def next_meeting(book: Book, blocks: dict[int, Block], price_ticks: int, fills_max: int) -> Meeting:
    """Who trades next at the price: best price first on both sides, at one price the oldest."""
    bids = list(islice(_within(book.bids, price_ticks), fills_max + 1))
    asks = list(islice(_within(book.asks, price_ticks), fills_max + 1))
    selves = _Selves(blocks)
    found = Meeting()
    bid_number = ask_number = 0
    bid_left = bids[0].left_lots if bids else 0
    ask_left = asks[0].left_lots if asks else 0
    while bid_number < len(bids) and ask_number < len(asks):
        bid, ask = bids[bid_number], asks[ask_number]
        found.conflict = selves.conflict(bid, ask)
        if found.conflict is not None or len(found.fills) == fills_max:
            found.is_last = False
            break
        lots = min(bid_left, ask_left)
        found.fills.append((bid, ask, lots))
        bid_left -= lots
        ask_left -= lots
        if not bid_left:
            bid_number += 1
            bid_left = bids[bid_number].left_lots if bid_number < len(bids) else 0
        if not ask_left:
            ask_number += 1
            ask_left = asks[ask_number].left_lots if ask_number < len(asks) else 0
    return found


def _within(side: Side, limit_ticks: int) -> Iterator[Order]:
    """Orders of a side that trade at a price, in the order in which they do."""
    keys, levels = side.keys, side.levels
    within = keys[bisect_left(keys, limit_ticks * side.sign) :]
    return chain.from_iterable(levels[key].orders.values() for key in reversed(within))


class _Queue:
    """Orders of one side in the order in which they trade, and how many lots are before each.

    All that is left of an order counts: what is hidden trades, too. Of ``count`` there are no more
    than that; zero is all.
    """

    def __init__(self, side: Side, limit_ticks: int, count: int) -> None:
        within = _within(side, limit_ticks)
        self.orders = list(islice(within, count) if count else within)
        self.is_cut = count > 0 and len(self.orders) == count
        self.lots = [order.remaining_lots + order.hidden_lots for order in self.orders]
        self._begins = [0, *accumulate(self.lots)]
        # What has been taken since, as a tree of sums, so that taking costs no walk either.
        self._taken = [0] * (len(self.orders) + 1)
        self._is_whole = True

    def begin(self, number: int) -> int:
        """How many lots are before an order, or before the end of all."""
        begin = self._begins[number]
        if self._is_whole:
            return begin
        while number > 0:
            begin -= self._taken[number]
            number &= number - 1
        return begin

    def end(self, number: int) -> int:
        return self.begin(number) + self.lots[number]

    def leave(self, number: int, lots: int) -> None:
        """Leaves an order only so many lots."""
        taken = self.lots[number] - lots
        self.lots[number] = lots
        self._is_whole = False
        number += 1
        while number < len(self._taken):
            self._taken[number] += taken
            number += number & -number

    def rows(self) -> list[tuple[int, int]]:
        prices = [order.price_ticks for order in self.orders]
        rows = zip(prices, self.lots, strict=True)
        return list(rows) if self._is_whole else [row for row in rows if row[1]]


def _part(
    bids: _Queue, asks: _Queue, blocks: dict[int, Block], found: Uncrossing, conflicts_max: int
) -> bool:
    """Finds who would meet himself, and leaves in the queues what they are without.

    Each bid in turn takes the lots that come next, whatever the price will be: two orders meet in
    the auction exactly if both their prices and their places among the lots do. Answers whether
    that could be told by the orders that are there.
    """
    rivals = _Rivals(bids, asks, blocks)
    selves = _Selves(blocks)
    row = looks = 0
    while row < len(rivals.bids):
        number = rivals.bids[row]
        bid, place = bids.orders[number], bids.begin(number)
        if asks.is_cut and place + bids.lots[number] > asks.begin(len(asks.orders)):
            return False
        conflict, ask_number = rivals.conflict_of(bid, place, bids.lots[number], selves)
        looks += 1
        if conflict is None:
            row += 1
            continue
        if len(found.conflicts) == conflicts_max or (found.conflicts and looks > LOOKS_MAX):
            found.is_whole = False
            return True
        found.conflicts.append(conflict)
        ends, lots = conflict.ends, 0
        if ends is None:
            ends, lots = conflict.newer, selves.without(conflict)
        if ends is bid:
            bids.leave(number, lots)
            continue
        # Earlier bids that have taken some of this ask now take of what comes after it.
        begin = asks.begin(ask_number)
        rivals.leave(ask_number, lots)
        while row and bids.end(rivals.bids[row - 1]) > begin:
            row -= 1
    return not bids.is_cut


class _Rivals:
    """The orders of trade groups that both bid and ask; asks are found without looking at all."""

    def __init__(self, bids: _Queue, asks: _Queue, blocks: dict[int, Block]) -> None:
        self.asks = asks
        self.blocks = blocks
        bid_groups = [order.account.trade_group for order in bids.orders]
        ask_groups = [order.account.trade_group for order in asks.orders]
        wanting, offering = set(bid_groups), set(ask_groups)
        if blocks:
            wanting.update(self._copiers_in(bids))
            offering.update(self._copiers_in(asks))
        common = self.groups = wanting & offering
        # Which bids there are, and of each group which asks, by number.
        self.bids: list[int] = []
        self.numbers: dict[int, list[int]] = {group: [] for group in common}
        # Of each group, how many of its asks were before the place that was asked for last.
        self.passed: dict[int, int] = dict.fromkeys(common, 0)
        if blocks and common:
            self.bids = [
                number for number, order in enumerate(bids.orders) if self._groups_of(order)
            ]
            for number, order in enumerate(asks.orders):
                for group in self._groups_of(order):
                    self.numbers[group].append(number)
        elif common:
            self.bids = [number for number, group in enumerate(bid_groups) if group in common]
            for number, group in enumerate(ask_groups):
                if group in common:
                    self.numbers[group].append(number)

    def conflict_of(
        self, bid: Order, place: int, lots: int, selves: _Selves
    ) -> tuple[Conflict | None, int]:
        """The first ask that the bid must not meet, if it takes so many lots from this place on."""
        if not lots:
            return None, 0
        until = place + lots
        if self.blocks:
            return self._block_conflict(bid, place, until, selves)
        group = bid.account.trade_group
        row = self._first(group, place)
        numbers = self.numbers[group]
        if row == len(numbers) or self.asks.begin(numbers[row]) >= until:
            return None, 0
        ask = self.asks.orders[numbers[row]]
        met = ask.price_ticks <= bid.price_ticks
        return (selves.conflict(bid, ask), numbers[row]) if met else (None, 0)

    def _block_conflict(
        self, bid: Order, place: int, until: int, selves: _Selves
    ) -> tuple[Conflict | None, int]:
        """Not all that have something to do with each other must not meet: legs leave blocks."""
        asks = [self._reached(group, place, until) for group in self._groups_of(bid)]
        for number in merge(*asks):
            ask = self.asks.orders[number]
            if ask.price_ticks > bid.price_ticks:
                break
            conflict = selves.conflict(bid, ask)
            if conflict is not None:
                return conflict, number
        return None, 0

    def leave(self, number: int, lots: int) -> None:
        """Leaves an ask only so many lots; one without any meets nobody."""
        self.asks.leave(number, lots)
        if not lots:
            for group in self._groups_of(self.asks.orders[number]):
                numbers = self.numbers[group]
                row = bisect_left(numbers, number)
                del numbers[row]
                self.passed[group] = min(self.passed[group], row)

    def _first(self, group: int, place: int) -> int:
        """The first ask of a group, in its list, of which there is something after a place."""
        asks, numbers = self.asks, self.numbers[group]
        first = self.passed[group]
        while first and asks.end(numbers[first - 1]) > place:
            first -= 1
        while first < len(numbers) and asks.end(numbers[first]) <= place:
            first += 1
        self.passed[group] = first
        return first

    def _reached(self, group: int, place: int, until: int) -> Iterator[int]:
        """Asks of a group of which there is something between two places."""
        for number in islice(self.numbers[group], self._first(group, place), None):
            if self.asks.begin(number) >= until:
                return
            yield number

    def _copiers_in(self, queue: _Queue) -> list[int]:
        blocks = self.blocks
        return [
            group
            for order in queue.orders
            if order.order_id in blocks
            for group in blocks[order.order_id].groups
        ]

    def _groups_of(self, order: Order) -> list[int]:
        group = order.account.trade_group
        block = self.blocks.get(order.order_id) if self.blocks else None
        if block is None:
            return [group] if group in self.groups else []
        return [each for each in {group: None, **block.groups} if each in self.groups]


class _Selves:
    """Who must not trade with whom, as legs would leave their blocks; nothing happens yet."""

    def __init__(self, blocks: dict[int, Block]) -> None:
        self.blocks = blocks
        # By the id of a block's order, in the order in which they leave.
        self.gone: dict[int, list[Member]] = {}
        self.gone_ids: set[int] = set()

    def without(self, conflict: Conflict) -> int:
        """What a block still asks for without the legs that leave it."""
        order_id = conflict.newer.order_id
        gone = self.gone.setdefault(order_id, [])
        gone += conflict.legs
        self.gone_ids.update(member.order_id for member in conflict.legs)
        return self.blocks[order_id].lots_without(gone)

    def conflict(self, bid: Order, ask: Order) -> Conflict | None:
        """As in matching, where the older order would have rested when the newer one came."""
        is_own = bid.account.trade_group == ask.account.trade_group
        if not is_own and not (self.blocks and share_copiers(self.blocks, bid, ask)):
            return None
        older, newer = (bid, ask) if bid.age < ask.age else (ask, bid)
        group = newer.account.trade_group
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


def auction_price(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference_ticks: int
) -> tuple[int, int, int]:
    """Price, lots and surplus of an auction of these (price, lots), best first; zeros: none cross.

    As the price rises less is wanted and more offered. From where more is offered than wanted the
    best is at once, and before it at last: there are two stretches of prices, each of them equally
    good, to choose from.
    """
    if not bids or not asks or bids[0][0] < asks[0][0]:
        return 0, 0, 0
    lowest, highest = asks[0][0], bids[0][0]
    bid_prices = [-price for price, _ in bids]
    ask_prices = [price for price, _ in asks]
    demand = [0, *accumulate(lots for _, lots in bids)]
    supply = [0, *accumulate(lots for _, lots in asks)]

    def balance(price: int) -> tuple[int, int]:
        wanted = demand[bisect_right(bid_prices, -price)]
        return wanted, supply[bisect_right(ask_prices, price)]

    low, high = lowest, highest + 1
    while low < high:
        price = (low + high) // 2
        wanted, offered = balance(price)
        if offered >= wanted:
            high = price
        else:
            low = price + 1
    best, chosen = (0, 0, 0, 0), (0, 0, 0)
    for price in (low - 1, low):
        if not lowest <= price <= highest:
            continue
        first, last = _stretch(price, bid_prices, ask_prices)
        price = max(lowest, first, min(reference_ticks, last, highest))
        wanted, offered = balance(price)
        away = abs(price - reference_ticks) if reference_ticks else 0
        rank = (min(wanted, offered), -abs(wanted - offered), -away, -price)
        if not best[0] or rank > best:
            best, chosen = rank, (price, rank[0], wanted - offered)
    return chosen


def _stretch(price: int, bid_prices: list[int], ask_prices: list[int]) -> tuple[int, int]:
    """The first and the last price at which as much is wanted and offered as at this one.

    ``bid_prices`` are negated, so that both lists ascend.
    """
    # Bids at or above the price are wanted, asks at or below it offered.
    wanted = bisect_right(bid_prices, -price)
    offered = bisect_right(ask_prices, price)
    last = -bid_prices[wanted - 1] if wanted else price
    if offered < len(ask_prices):
        last = min(last, ask_prices[offered] - 1)
    first = ask_prices[offered - 1] if offered else price
    if wanted < len(bid_prices):
        first = max(first, -bid_prices[wanted] + 1)
    return first, last
