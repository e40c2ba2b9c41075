"""The naive engine with what happens to orders after they have entered."""

from __future__ import annotations

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    Amend,
    Amended,
    Prevented,
    Terms,
)
from tests.simulation.naive_auction import NaiveAuctions
from tests.simulation.naive_triggers import check_special
from tests.simulation.naive_world import (
    SECOND,
    NaiveAccount,
    NaiveMarket,
    NaiveOrder,
    check,
)


class NaiveVenue(NaiveAuctions):
    # ------------------------------------------------------------ orders that change

    def do_Amend(self, c: Amend) -> None:
        order = self.named(c)
        check(order, "order_not_found")
        assert order is not None
        m = self.markets[order.terms.market_id]
        t = msgspec.structs.replace(
            order.terms,
            quantity_lots=c.quantity_lots or order.terms.quantity_lots,
            price_ticks=c.price_ticks or order.terms.price_ticks,
            stop_ticks=c.stop_ticks or order.terms.stop_ticks,
        )
        account = self.accounts[c.account_id]
        more = t.quantity_lots - order.terms.quantity_lots
        prices = (t.price_ticks, t.stop_ticks)
        in_place = prices == (order.terms.price_ticks, order.terms.stop_ticks) and more <= 0
        if not in_place:
            self.check_another(account)
            self.check_states(account, m, t)
        check(order.terms.price_ticks or not c.price_ticks, "invalid_order")
        check((order.waiting and not order.best) or not c.stop_ticks, "invalid_order")
        check(0 <= t.price_ticks <= AMOUNT_MAX and 0 <= t.stop_ticks <= AMOUNT_MAX, "invalid_price")
        check(1 <= t.quantity_lots <= AMOUNT_MAX, "invalid_quantity")
        check_special(t)
        self.check_linked(order, t)
        check(order.left + more > 0, "amend_below_filled")
        if in_place:
            self.check_size(account, m, t, 0, most=False)
            self.change(order, m, t, in_place)
            return
        if order.waiting and not order.best:
            self.check_waiting_price(m, t)
        elif not order.waiting:
            self.check_limit(m, t, self.reference(t.market_id))
        self.check_amended_pair(order, m, t)
        self.check_exits(m, t)
        self.check_size(account, m, t, 0)
        if more > 0 and order.buys and m.instrument.max_position_lots:
            lots = self.position(c.account_id, m) + more
            check(lots <= m.instrument.max_position_lots, "max_position")
        self.change(order, m, t, in_place)

    def check_another(self, account: NaiveAccount) -> None:
        """An order that arrives anew counts, but is not a new one that would repeat another."""
        second = self.now // SECOND
        before = [p for p in account.placed if p[0] == second]
        account.placed = [(second, None), *before]
        most = account.limits.orders_per_second
        check(not most or len(account.placed) <= most, "rate_limit")

    def check_linked(self, order: NaiveOrder, t: Terms) -> None:
        raise NotImplementedError

    def check_amended_pair(self, order: NaiveOrder, m: NaiveMarket, t: Terms) -> None:
        raise NotImplementedError

    def amended_hold(self, order: NaiveOrder, left: int, worst: int) -> int:
        raise NotImplementedError

    def after_change(self, order: NaiveOrder) -> None:
        raise NotImplementedError

    def change(self, order: NaiveOrder, m: NaiveMarket, t: Terms, in_place: bool) -> None:
        left = order.left + t.quantity_lots - order.terms.quantity_lots
        if in_place:
            less = order.left - left
            gone = max(0, less - (order.left - order.shown))
            self.lessen(order, less, gone, "user")
            return
        worst = order.worst
        if not order.best:
            worst = t.price_ticks or self.band(m, t.side, self.centre(m, t, 0))
        hold = self.amended_hold(order, left, worst)
        change = hold - order.hold
        spends, _ = self.assets_of(order)
        check(self.free(order.account_id, spends) >= change, "insufficient_balance")
        self.move(order.account_id, spends, -change, change)
        self.events.append(
            Amended(
                order.number,
                order.account_id,
                t.market_id,
                t.side,
                t,
                worst,
                left,
                hold,
                change,
                order.worst if order.rank else 0,
                order.shown if order.rank else 0,
                "user",
            )
        )
        order.entry_terms = order.entry_terms or order.terms
        order.terms, order.worst, order.left, order.hold = t, worst, left, hold
        if not order.waiting:
            order.rank = order.shown = 0
            order.arrived = (self.numbers, self.seq)
            self.arrive(order, m)
        self.after_change(order)

    # ------------------------------------------------------------ orders that meet their own

    def prevent(self, maker: NaiveOrder, order: NaiveOrder, mode: int) -> bool:
        """Two orders of one group have met; answers whether the arriving one ends."""
        self.events.append(Prevented(order.terms.market_id, maker.number, order.number, mode))
        if mode == DECREMENT:
            return self.decrement(maker, order)
        if mode in (EXPIRE_MAKER, EXPIRE_BOTH):
            self.end(maker, EXPIRED, "self_trade")
        return mode in (EXPIRE_TAKER, EXPIRE_BOTH)

    def decrement(self, maker: NaiveOrder, taker: NaiveOrder) -> bool:
        """Both lose the smaller quantity; answers whether nothing is left of the taker."""
        lots = min(maker.shown, taker.left)
        if maker.left == lots:
            self.end(maker, EXPIRED, "self_trade")
        else:
            self.lessen(maker, lots, lots, "self_trade")
            if not maker.shown:
                self.rest(maker)
        if taker.left > lots:
            self.lessen(taker, lots, lots, "self_trade")
            return False
        return True

    def lessen(self, order: NaiveOrder, lots: int, gone: int, why: str) -> None:
        """Takes lots off an order where it stands; ``gone`` of them were to be seen."""
        t = msgspec.structs.replace(order.terms, quantity_lots=order.terms.quantity_lots - lots)
        left = order.left - lots
        hold = min(order.hold, self.need(order, left))
        change = hold - order.hold
        spends, _ = self.assets_of(order)
        self.move(order.account_id, spends, -change, change)
        order.entry_terms = order.entry_terms or order.terms
        order.terms, order.left, order.hold = t, left, hold
        place, gone = (order.worst, gone) if order.rank else (0, 0)
        order.shown -= gone
        self.events.append(
            Amended(
                order.number, order.account_id, t.market_id, t.side, t, order.worst, left, hold,
                change, place, gone, why,
            )
        )  # fmt: skip
