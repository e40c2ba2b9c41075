"""Orders that belong together, of which what one does changes the other.

A pair is a limit order that rests and a stop that waits behind the market; one holds for both, the
limit order. What fills of it comes off the stop; when one ends, so does the other; when the stop
wakes, the limit order ends first and leaves its hold to the stop. ``Matcher`` builds on this.
"""

from __future__ import annotations

from typing import Final

from apps.engine.book import Book, Order
from apps.engine.messages import BUY, CANCELLED, AnyEvent, Terms
from apps.engine.remainder import needed_hold_minor, note_amended, shrink

PAIR: Final = "pair"


class Ties:
    """What an order is tied to, by order id.

    The other order of its pair, and the purchase that it protects; zero where there is none. A
    purchase has neither, but the orders that protect it, once they live.
    """

    __slots__ = ("entry_id", "exit_ids", "pair_id")

    def __init__(self, pair_id: int = 0, entry_id: int = 0) -> None:
        self.pair_id = pair_id
        self.entry_id = entry_id
        self.exit_ids: list[int] = []

    @property
    def is_entry(self) -> bool:
        return not (self.pair_id or self.entry_id)


class Pairs:
    """Live orders, and the ties of the few that have any.

    ``filled`` are those that have traded, and the lots, since it was last seen to; ``unprotected``
    are the purchases that are to end with the command at hand, and their markets. ``attention`` are
    the markets that have to be looked at once it has matched.
    """

    __slots__ = ("attention", "filled", "orders", "ties", "unprotected")

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.ties: dict[int, Ties] = {}
        self.filled: dict[int, tuple[Order, int]] = {}
        self.unprotected: dict[int, Book] = {}
        self.attention: dict[int, None] = {}

    def close(
        self, order: Order, book: Book, status: int, reason: str, events: list[AnyEvent]
    ) -> None:
        raise NotImplementedError

    def pair_up(self, order_id: int, other_id: int) -> None:
        self.ties[order_id] = Ties(other_id)
        self.ties[other_id] = Ties(order_id)

    def other_of(self, order: Order) -> Order | None:
        """The other order of its pair, where it is one of a pair."""
        ties = self.ties.get(order.order_id)
        return None if ties is None else self.orders.get(ties.pair_id)

    def pair_hold_minor(self, order: Order, needed_minor: int) -> int:
        """What has to be held for an order that needs so much itself, with its pair's other."""
        other = self.other_of(order)
        if other is None:
            return needed_minor
        left_lots = order.left_lots
        return max(needed_minor, needed_hold_minor(other, other.price_ticks, left_lots))

    def balance_hold(self, stop: Order, events: list[AnyEvent]) -> None:
        """The stop of a pair needs something else: its limit order holds it."""
        limit = self.orders[self.ties[stop.order_id].pair_id]
        needed_minor = needed_hold_minor(limit, limit.price_ticks, limit.left_lots)
        hold_minor = self.pair_hold_minor(limit, needed_minor)
        if hold_minor != limit.hold_minor:
            note_amended(limit, hold_minor, limit.price_ticks, 0, PAIR, events)

    def is_linked(self, order: Order) -> bool:
        """Whether its quantity is that of another order, too."""
        ties = self.ties.get(order.order_id)
        return ties is not None and not ties.is_entry

    def note_filled(self, order: Order, lots: int) -> None:
        order_id = order.order_id
        if order_id in self.ties:
            _, lots_before = self.filled.get(order_id, (order, 0))
            self.filled[order_id] = (order, lots_before + lots)

    def _follow_pairs(self, book: Book, events: list[AnyEvent]) -> None:
        """What has filled of one comes off the other; who has filled ends the other."""
        for order_id in sorted(self.filled):
            order, lots = self.filled.pop(order_id)
            if order_id in self.orders:
                self.take_off_other(order, lots, events)
            else:
                self._end_tied(self.ties.pop(order_id), book, events)

    def take_off_other(self, order: Order, lots: int, events: list[AnyEvent]) -> None:
        other = self.other_of(order)
        if other is not None:
            shrink(other, lots, lots, PAIR, events)

    def untie(self, order: Order, book: Book, events: list[AnyEvent]) -> None:
        """A tied order has ended. What it filled just now is seen to first, in its own time."""
        if order.order_id in self.ties and order.order_id not in self.filled:
            self._end_tied(self.ties.pop(order.order_id), book, events)

    def _end_tied(self, ties: Ties, book: Book, events: list[AnyEvent]) -> None:
        """An order has ended: so does the other of its pair, and soon what is left to buy."""
        other = self.orders.get(ties.pair_id)
        if other is not None:
            del self.ties[other.order_id]
            self.close(other, book, CANCELLED, PAIR, events)
        entry = self.ties.get(ties.entry_id)
        if entry is not None:
            entry.exit_ids = []
            # It may be in the middle of a match, or of an auction.
            self.unprotected[ties.entry_id] = book
            self.attention[book.instrument.market_id] = None

    def end_unprotected(self, events: list[AnyEvent]) -> None:
        """Purchases that have lost their protection in the command at hand end with it."""
        for order_id, book in self.unprotected.items():
            order = self.orders.get(order_id)
            if order is not None:
                self.close(order, book, CANCELLED, PAIR, events)
        self.unprotected.clear()

    def take_over(self, stop: Order, book: Book, events: list[AnyEvent]) -> tuple[int, int]:
        """A stop wakes: what it is tied to ends. Answers (hold, from which order it is)."""
        if not self.is_linked(stop):
            return 0, 0
        ties = self.ties.pop(stop.order_id)
        limit = self.orders.get(ties.pair_id)
        hold_minor = 0
        if limit is not None:
            hold_minor, limit.hold_minor = limit.hold_minor, 0
            stop.hold_minor = hold_minor
        self._end_tied(ties, book, events)
        # At once, because what it still bids is what the stop might meet.
        self.end_unprotected(events)
        return hold_minor, ties.pair_id


def pair_is_apart(limit_terms: Terms, stop_ticks: int) -> bool:
    """Whether the market is between the two: who sells wants more than his stop, who buys less."""
    price_ticks = limit_terms.price_ticks
    return price_ticks < stop_ticks if limit_terms.side == BUY else price_ticks > stop_ticks
