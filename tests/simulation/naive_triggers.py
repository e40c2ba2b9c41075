"""The naive engine's orders that wait for the last price: stops, take-profits, trailing stops."""

from __future__ import annotations

import itertools

from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    GTC,
    GTD,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Special,
    Terms,
    Triggered,
)
from tests.simulation.naive_world import SECOND, NaiveMarket, NaiveOrder, NaiveWorld, check

STOPS = (STOP, STOP_LIMIT)
WAITING = (STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP)


def asks_for_exits(t: Terms) -> bool:
    special = t.special
    return special is not None and max(special.take_profit_ticks, special.stop_loss_ticks) > 0


def check_special(t: Terms) -> None:
    if t.special is None:
        check(t.order_type != TRAILING_STOP, "invalid_order")
        return
    special = t.special
    check(special != Special(), "invalid_order")
    if asks_for_exits(t):
        take, stop = special.take_profit_ticks, special.stop_loss_ticks
        limit = special.stop_loss_limit_ticks
        check(special == Special(0, 0, 0, take, stop, limit), "invalid_order")
        check(min(take, stop, limit) >= 0, "invalid_order")
        check(max(take, stop, limit) <= AMOUNT_MAX, "invalid_order")
        check(stop or not limit, "invalid_order")
        check(t.order_type in (LIMIT, MARKET, STOP, STOP_LIMIT), "invalid_order")
        check(not t.quote_minor, "invalid_order")
        return
    part = special.display_lots
    if t.order_type == LIMIT:
        check(special == Special(display_lots=part), "invalid_order")
        check(t.time_in_force in (GTC, GTD), "invalid_order")
        check(0 < part < t.quantity_lots and t.quantity_lots <= 100 * part, "invalid_order")
        return
    check(t.order_type == TRAILING_STOP, "invalid_order")
    ticks, bps = special.trail_ticks, special.trail_bps
    check(special == Special(0, ticks, bps), "invalid_order")
    asked = [ticks, bps]
    check(sorted(asked)[0] == 0 < sorted(asked)[1], "invalid_order")
    check(ticks <= AMOUNT_MAX and bps <= 5_000, "invalid_order")


def behind(t: Terms, best: int) -> int:
    """The stop of a trailing stop whose best price so far is this one."""
    assert t.special is not None
    distance = t.special.trail_ticks or max(1, best * t.special.trail_bps // 10_000)
    return best + distance if t.side == BUY else best - distance


class NaiveTriggers(NaiveWorld):
    def reference(self, market_id: int) -> int:
        m = self.markets[market_id]
        first = self.now // SECOND - 299
        newest = (m.trades[i] for i in range(len(m.trades) - 1, m.counted_from - 1, -1))
        window = list(itertools.takewhile(lambda trade: trade[0] >= first, newest))
        lots = sum(trade[2] for trade in window)
        return sum(trade[1] * trade[2] for trade in window) // lots if lots else m.fallback

    def check_waiting_price(self, m: NaiveMarket, t: Terms) -> None:
        buys = t.side == BUY
        if t.order_type == TRAILING_STOP:
            if t.stop_ticks:
                reached = m.last and (m.last <= t.stop_ticks if buys else m.last >= t.stop_ticks)
                check(not reached, "would_trigger")
            else:
                check(m.last, "no_reference")
            check(1 <= self.first_stop(m, t) <= AMOUNT_MAX, "invalid_price")
            return
        check(not (m.last and self.reached(t, t.stop_ticks, m.last)), "would_trigger")
        if t.order_type in (STOP_LIMIT, TAKE_PROFIT_LIMIT):
            worst = self.band(m, t.side, t.stop_ticks)
            inside = t.price_ticks <= worst if buys else t.price_ticks >= worst
            check(inside, "price_band")

    def first_stop(self, m: NaiveMarket, t: Terms) -> int:
        if t.order_type == TRAILING_STOP:
            return behind(t, t.stop_ticks or m.last)
        return t.stop_ticks

    def reached(self, t: Terms, stop: int, last: int) -> bool:
        """Stops protect from a price that turns bad, take-profits wait for a good one."""
        rises = t.side == BUY
        if t.order_type in (TAKE_PROFIT, TAKE_PROFIT_LIMIT):
            rises = not rises
        return last >= stop if rises else last <= stop

    def let_wait(self, order: NaiveOrder, m: NaiveMarket) -> None:
        order.waiting = True
        if order.terms.order_type == TRAILING_STOP and not order.terms.stop_ticks:
            order.best = m.last

    def trail(self, order: NaiveOrder, last: int) -> None:
        t = order.terms
        better = min if order.buys else max
        if order.best:
            order.best = better(order.best, last)
        elif better(last, t.stop_ticks) == last:
            order.best = last

    def wakes(self, order: NaiveOrder, last: int) -> bool:
        t = order.terms
        if t.order_type != TRAILING_STOP:
            return self.reached(t, t.stop_ticks, last)
        return order.best > 0 and self.reached(t, behind(t, order.best), last)

    def wake_waiting(self, m: NaiveMarket) -> None:
        while True:
            self.follow_fills(m)
            here = [o for o in self.orders if o.terms.market_id == m.instrument.market_id]
            waiting = [o for o in here if o.waiting]
            for order in waiting:
                if order.terms.order_type == TRAILING_STOP:
                    self.trail(order, m.last)
            woken = [o for o in waiting if self.wakes(o, m.last)]
            if not woken:
                return
            order = woken[0]
            order.waiting = False
            if order.terms.order_type == TRAILING_STOP:
                bound = self.band(m, order.terms.side, behind(order.terms, order.best))
                order.worst = min(bound, order.worst) if order.buys else max(bound, order.worst)
            taken_over = self.take_over(order)
            self.events.append(
                Triggered(order.number, order.account_id, order.terms.market_id, *taken_over)
            )
            self.execute(order)

    def band(self, market: NaiveMarket, side: int, price: int) -> int:
        raise NotImplementedError

    def execute(self, order: NaiveOrder) -> None:
        raise NotImplementedError

    def follow_fills(self, m: NaiveMarket) -> None:
        """What tied orders have traded changes those that they are tied to."""

    def take_over(self, stop: NaiveOrder) -> tuple[int, int]:
        """A stop wakes: what it holds from now on, and from which order; zeros as before."""
        raise NotImplementedError
