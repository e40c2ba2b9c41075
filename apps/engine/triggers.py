"""Orders that wait for the last price: which of them it wakes, and when.

Stops, take-profits and trailing stops. The last trade is looked at when the command at hand has
matched completely, and again after each order that woke up. This module says which order is next;
what the order then does is the matcher's.
"""

from __future__ import annotations

from heapq import heapify, heappop
from typing import Final

from apps.engine.book import ARMED, NOWHERE, Book, Order, Side, Trail
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Terms,
)
from apps.engine.rates import trail_distance_ticks, worst_in_band_ticks

# Above every key of a side.
NEVER_CROSSED: Final = AMOUNT_MAX + 1


def waits_for_rise(terms: Terms) -> bool:
    """A buy stop waits for a rise, a sell stop for a fall; a take-profit the other way round.

    A trailing stop that is not active yet waits for a good price, as a take-profit does.
    """
    takes_profit = terms.order_type in (TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP)
    return (terms.side == BUY) != takes_profit


def first_stop_ticks(terms: Terms, last_ticks: int) -> int:
    """Where the order wakes as things stand; no trailing stop ever has a worse one.

    Zero or less where a trailing stop has no price to begin at, or is further away than that.
    """
    if terms.order_type != TRAILING_STOP or terms.special is None:
        return terms.stop_ticks
    best = terms.stop_ticks or last_ticks
    if not best:
        return 0
    distance = trail_distance_ticks(best, terms.special.trail_ticks, terms.special.trail_bps)
    return best + distance if terms.side == BUY else best - distance


def arm(order: Order, book: Book) -> None:
    """Lets an order wait. A trailing stop without an activation price is active at once."""
    rearm(order, book, 0 if order.terms.stop_ticks else book.last_ticks)


def rearm(order: Order, book: Book, best_ticks: int) -> None:
    """Lets an order wait as it did; ``best_ticks`` is what a trailing stop has seen so far."""
    order.place = ARMED
    book.armed[order.order_id] = order
    if best_ticks:
        trail_from(order, book, best_ticks)
    else:
        _level_side(order.terms, book).add(order, order.terms.stop_ticks)


def disarm(order: Order, book: Book) -> None:
    order_id = order.order_id
    order.place = NOWHERE
    del book.armed[order_id]
    trail = active_trail(order, book)
    if trail is None:
        _level_side(order.terms, book).remove(order_id, order.terms.stop_ticks)
        return
    trail.remove(order_id)
    if not trail.order_ids:
        del book.trails[_distance(order.terms)]


def trail_from(order: Order, book: Book, best_ticks: int) -> None:
    """A trailing stop is active from now on."""
    key = _distance(order.terms)
    trail = book.trails.get(key)
    if trail is None:
        trail = book.trails[key] = Trail(*key)
    trail.add(order.order_id, best_ticks)


def active_trail(order: Order, book: Book) -> Trail | None:
    """Where the order is, if it is a trailing stop that is active."""
    if order.terms.order_type != TRAILING_STOP:
        return None
    trail = book.trails.get(_distance(order.terms))
    return trail if trail is not None and order.order_id in trail.number_of else None


def bound_trailing(order: Order, book: Book) -> None:
    """What a trailing stop may trade at once it wakes: the band around where its stop is then.

    The band may have become wider since it entered, but what it reserved has not.
    """
    trail = active_trail(order, book)
    if trail is None:
        return
    stop_ticks = trail.stop_ticks(trail.best_ticks(order.order_id))
    worst = worst_in_band_ticks(order.side, stop_ticks, book.instrument.band_bps)
    bound = min if order.side == BUY else max
    order.price_ticks = bound(order.price_ticks, worst)


class Watch:
    """The orders that one command wakes, oldest first, one at a time.

    ``due`` is a heap of order ids. An order is put into it once, when the price first reaches it,
    so that a fall through many stops costs no more than their number.
    """

    __slots__ = ("book", "due", "fallen_key", "last_ticks", "passed_over", "risen_key", "trailed")

    def __init__(self, book: Book) -> None:
        self.book = book
        self.due: list[int] = []
        self.passed_over: list[int] = []
        self.last_ticks = 0
        # How far the orders of each kind have been gathered.
        self.risen_key = self.fallen_key = NEVER_CROSSED
        self.trailed: dict[Trail, int] = {}

    def next_order(self) -> Order | None:
        book = self.book
        while True:
            if book.last_ticks != self.last_ticks:
                self._look()
            if not self.due:
                return None
            order = book.armed[heappop(self.due)]
            if self._is_crossed(order):
                return order
            # The price has come back since: it waits on.
            self.passed_over.append(order.order_id)

    def _look(self) -> None:
        book = self.book
        last = self.last_ticks = book.last_ticks
        self.due += self.passed_over
        self.passed_over.clear()
        for trail in book.trails.values():
            trail.see(last)
        self.risen_key = self._gather(book.rising, self.risen_key)
        self.fallen_key = self._gather(book.falling, self.fallen_key)
        for trail in book.trails.values():
            crossed, self.trailed[trail] = trail.crossed(last, self.trailed.get(trail, 0))
            self.due += crossed
        heapify(self.due)

    def _gather(self, side: Side, gathered_key: int) -> int:
        """Takes up who waits between the price and where it has been; answers where it is now."""
        book = self.book
        key = self.last_ticks * side.sign
        for order_id in side.between(key, gathered_key):
            order = book.armed[order_id]
            if order.terms.order_type == TRAILING_STOP:
                # It has reached its activation price, which is all that it waited for here.
                side.remove(order_id, order.terms.stop_ticks)
                trail_from(order, book, self.last_ticks)
            else:
                self.due.append(order_id)
        return min(gathered_key, key)

    def _is_crossed(self, order: Order) -> bool:
        book = self.book
        trail = active_trail(order, book)
        if trail is None:
            sign, stop_ticks = _level_side(order.terms, book).sign, order.terms.stop_ticks
        else:
            sign, stop_ticks = trail.sign, trail.stop_ticks(trail.best_ticks(order.order_id))
        return stop_ticks * sign >= self.last_ticks * sign


def _level_side(terms: Terms, book: Book) -> Side:
    return book.rising if waits_for_rise(terms) else book.falling


def _distance(terms: Terms) -> tuple[int, int, int]:
    """What trailing stops have in common that keep together."""
    special = terms.special
    if special is None:
        return 0, 0, 0
    return (-1 if terms.side == BUY else 1), special.trail_ticks, special.trail_bps
