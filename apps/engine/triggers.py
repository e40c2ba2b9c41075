"""Orders that wait for the last price: which of them it wakes, and when.

Stops, take-profits and trailing stops. The last trade is looked at when the command at hand has
matched completely, and again after each order that woke up. This module says which order is next;
what the order then does is the matcher's.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from apps.engine.book import ARMED, NOWHERE, Book, Order, Side
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Terms,
)
from apps.engine.rates import trail_distance_ticks, worst_in_band_ticks
from apps.engine.trails import Trails

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
    return _behind(terms, best) if best else 0


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
    trails = active_trails(order, book)
    if trails is None:
        _level_side(order.terms, book).remove(order_id, order.terms.stop_ticks)
    else:
        trails.remove(order_id)


def trail_from(order: Order, book: Book, best_ticks: int) -> None:
    """A trailing stop is active from now on."""
    _trails(order, book).add(order.order_id, best_ticks, *_distance(order.terms))


def active_trails(order: Order, book: Book) -> Trails | None:
    """Where the order is, if it is a trailing stop that is active."""
    if order.terms.order_type != TRAILING_STOP:
        return None
    trails = _trails(order, book)
    return trails if order.order_id in trails.number_of else None


def bound_trailing(order: Order, book: Book) -> None:
    """What a trailing stop may trade at once it wakes: the band around where its stop is then.

    The band may have become wider since it entered, but what it reserved has not.
    """
    trails = active_trails(order, book)
    if trails is None:
        return
    stop_ticks = _behind(order.terms, trails.best_ticks(order.order_id))
    worst = worst_in_band_ticks(order.side, stop_ticks, book.instrument.band_bps)
    bound = min if order.side == BUY else max
    order.price_ticks = bound(order.price_ticks, worst)


def stop_now_ticks(order: Order, terms: Terms, book: Book) -> int:
    """Where an order that waits would wake as things stand, if these were its terms."""
    trails = active_trails(order, book)
    if trails is None:
        return first_stop_ticks(terms, book.last_ticks)
    return _behind(terms, trails.best_ticks(order.order_id))


class Watch:
    """The orders that one command wakes, oldest first, one at a time.

    ``due`` is a heap of order ids. An order is put into it once, when the price first reaches it,
    so that a fall through many stops costs no more than their number.
    """

    __slots__ = ("book", "due", "fallen_key", "last_ticks", "passed_over", "risen_key")

    def __init__(self, book: Book) -> None:
        self.book = book
        self.due: list[int] = []
        self.passed_over: list[int] = []
        self.last_ticks = 0
        # How far the orders of each kind have been gathered.
        self.risen_key = self.fallen_key = NEVER_CROSSED

    def next_order(self) -> Order | None:
        book = self.book
        while True:
            if book.last_ticks != self.last_ticks:
                self._look()
            if not self.due:
                return None
            order = book.armed.get(heappop(self.due))
            if order is None:
                # What filled since has ended the pair that it was of.
                continue
            if self._is_crossed(order):
                return order
            # The price has come back since: it waits on.
            trails = active_trails(order, book)
            if trails is None:
                self.passed_over.append(order.order_id)
            else:
                trails.wait(order.order_id, *_distance(order.terms))

    def add(self, order: Order) -> None:
        """A stop that waits only since now, where others have been gathered already."""
        side = _level_side(order.terms, self.book)
        gathered_key = self.risen_key if side is self.book.rising else self.fallen_key
        if order.terms.stop_ticks * side.sign >= gathered_key:
            heappush(self.due, order.order_id)

    def _look(self) -> None:
        book = self.book
        last = self.last_ticks = book.last_ticks
        found, self.passed_over = self.passed_over, []
        book.trailing_buys.see(last)
        book.trailing_sells.see(last)
        self.risen_key = self._gather(book.rising, self.risen_key, found)
        self.fallen_key = self._gather(book.falling, self.fallen_key, found)
        found += book.trailing_buys.crossed(last)
        found += book.trailing_sells.crossed(last)
        # Those that are due already are not touched, so that a price that jumps to and fro costs
        # no more than who is found by it.
        for order_id in found:
            heappush(self.due, order_id)

    def _gather(self, side: Side, gathered_key: int, found: list[int]) -> int:
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
                found.append(order_id)
        return min(gathered_key, key)

    def _is_crossed(self, order: Order) -> bool:
        book = self.book
        terms = order.terms
        stop_ticks, rises = terms.stop_ticks, waits_for_rise(terms)
        trails = active_trails(order, book)
        if trails is not None:
            # Its first price was a good one; now it waits for a bad one, as a stop does.
            stop_ticks, rises = _behind(terms, trails.best_ticks(order.order_id)), not rises
        return self.last_ticks >= stop_ticks if rises else self.last_ticks <= stop_ticks


def _level_side(terms: Terms, book: Book) -> Side:
    return book.rising if waits_for_rise(terms) else book.falling


def _trails(order: Order, book: Book) -> Trails:
    return book.trailing_buys if order.side == BUY else book.trailing_sells


def _distance(terms: Terms) -> tuple[int, int]:
    """In ticks or in basis points."""
    special = terms.special
    return (special.trail_ticks, special.trail_bps) if special is not None else (0, 0)


def _behind(terms: Terms, best_ticks: int) -> int:
    """The stop of a trailing stop that has seen this price."""
    distance = trail_distance_ticks(best_ticks, *_distance(terms))
    return best_ticks + distance if terms.side == BUY else best_ticks - distance
