"""The engine once more, as slowly and plainly as possible: the oracle of the differential test.

Written from the rules, not from the engine. Orders stand in one list, balances in one dict, and
every question is answered by looking at everything. It shares with the engine only the messages.
"""

from __future__ import annotations

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    CANCELLED,
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FEE_ACCOUNT_ID,
    FILLED,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    PHASE_LIMIT,
    REDUCE_ONLY,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Accepted,
    Amend,
    Duplicate,
    Instrument,
    Place,
    Replace,
    Rested,
    Terms,
    Trade,
)
from tests.simulation.naive_triggers import WAITING, NaiveTriggers, check_special
from tests.simulation.naive_world import (
    LEFT,
    SECOND,
    NaiveAccount,
    NaiveMarket,
    NaiveOrder,
    Refused,
    Repeated,
    check,
    fee_of,
    rounded_up,
)

PRICED = (LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT)
FORCES = {
    LIMIT: (GTC, IOC, FOK, GTD),
    STOP_LIMIT: (GTC, IOC, FOK, GTD),
    MARKET: (IOC, FOK),
    STOP: (GTC, GTD),
    TAKE_PROFIT: (GTC, GTD),
    TAKE_PROFIT_LIMIT: (GTC, IOC, FOK, GTD),
    TRAILING_STOP: (GTC, GTD),
}


class NaiveEngine(NaiveTriggers):
    # ------------------------------------------------------------ orders in

    def place(self, c: Place) -> int:
        check(c.account_id in self.accounts, "unknown_account")
        account = self.accounts[c.account_id]
        self.check_repeated(c)
        replaced = self.replaced(c) if isinstance(c, Replace) else None
        self.check_ids(c)
        self.check_throttle(account, c.terms)
        t = c.terms
        check(t.market_id in self.markets, "unknown_market")
        market = self.markets[t.market_id]
        if replaced is None:
            return self.admit(c, account, market)
        # Without the order that goes: if the new one is refused, it has never been away.
        before = list(self.orders), dict(self.available), dict(self.held), list(self.events)
        self.end(replaced, CANCELLED, "replaced")
        try:
            return self.admit(c, account, market)
        except Refused:
            self.orders, self.available, self.held, self.events = before
            raise

    def named(self, c: Amend) -> NaiveOrder | None:
        for order in self.orders:
            by_number = order.number == c.order_id
            by_client = not c.order_id and order.client_order_id == c.client_order_id
            if (by_number or by_client) and order.account_id == c.account_id:
                return order
        return None

    def replaced(self, c: Replace) -> NaiveOrder:
        named = Amend(b"", 0, c.account_id, c.replaced_id, c.replaced_client_id)
        order = self.named(named)
        check(order, "order_not_found")
        assert order is not None
        place = (order.terms.market_id, order.terms.side)
        check(place == (c.terms.market_id, c.terms.side), "replace_mismatch")
        check(not (order.pair or order.entry), "linked_order")
        return order

    def admit(self, c: Place, account: NaiveAccount, market: NaiveMarket) -> int:
        t = c.terms
        self.check_states(account, market, t)
        self.check_shape(t)
        reference = self.reference(t.market_id)
        around = reference or self.best_price(market, SELL if t.side == BUY else BUY)
        self.check_price(market, t, reference, around)
        self.check_exits(market, t)
        self.check_size(account, market, t, around)
        stays = t.order_type in WAITING or (t.order_type == LIMIT and t.time_in_force in (GTC, GTD))
        exits = (
            (t.special.take_profit_ticks > 0, t.special.stop_loss_ticks > 0) if t.special else ()
        )
        self.check_open(c.account_id, account, stays + sum(exits))
        self.check_position(c.account_id, market, t)
        self.check_exit_ids(c)
        return self.enter(c, market, around)

    def check_open(self, account_id: int, account: NaiveAccount, more: int) -> None:
        mine = [o for o in self.orders if o.account_id == account_id]
        most = account.limits.max_open_orders
        check(not more or not most or len(mine) + more <= most, "max_open_orders")

    def check_exits(self, m: NaiveMarket, t: Terms) -> None:
        raise NotImplementedError

    def check_exit_ids(self, c: Place) -> None:
        raise NotImplementedError

    def check_repeated(self, c: Place) -> None:
        for _, seq, number, earlier in self.ordered.get(c.account_id, {}).values():
            if not isinstance(earlier, Place):
                continue
            if earlier.client_order_id == c.client_order_id:
                check(earlier.terms == c.terms, "id_reused")
                raise Repeated(Duplicate(seq, number))
        mine = [o for o in self.orders if o.account_id == c.account_id]
        for order in [o for o in mine if o.client_order_id == c.client_order_id]:
            check((order.entry_terms or order.terms) == c.terms, "id_reused")
            raise Repeated(Duplicate(self.entered[order.number], order.number))

    def check_ids(self, c: Place) -> None:
        check(len(c.command_id) == 16, "invalid_command")
        check(c.client_order_id, "client_order_id_required")
        plain = all(" " <= letter <= "~" for letter in c.client_order_id)
        check(plain and len(c.client_order_id) <= 64, "invalid_order")

    def check_throttle(self, account: NaiveAccount, terms: Terms) -> None:
        second = self.now // SECOND
        account.placed = [p for p in account.placed if p[0] == second] + [(second, terms)]
        most = account.limits.orders_per_second
        check(not most or len(account.placed) <= most, "rate_limit")
        run = 0
        for _, earlier in reversed(account.placed):
            if earlier != terms:
                break
            run += 1
        most = account.limits.repeated_orders_per_second
        check(not most or run <= most, "repeated_order")

    def check_states(self, account: NaiveAccount, market: NaiveMarket, t: Terms) -> None:
        states = (self.venue, market.instrument.state)
        check(account.state != BLOCKED, "account_blocked")
        check(self.venue != HALTED, "venue_halted")
        check(market.instrument.state != HALTED, "market_halted")
        check(CANCEL_ONLY not in states, "cancel_only")
        check(account.state != REDUCE_ONLY or t.side != BUY, "reduce_only")

    def check_shape(self, t: Terms) -> None:
        priced = t.order_type in PRICED
        stop = t.order_type in WAITING
        check(t.order_type in FORCES, "invalid_order")
        check(t.time_in_force in FORCES[t.order_type], "invalid_order")
        check(t.side in (BUY, SELL), "invalid_order")
        check(t.self_trade in (EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT), "invalid_order")
        check_special(t)
        postable = t.order_type == LIMIT and t.time_in_force in (GTC, GTD)
        check(not t.post_only or postable, "invalid_order")
        check(priced or t.price_ticks == 0, "invalid_order")
        check(stop or t.stop_ticks == 0, "invalid_order")
        if t.quote_minor:
            check(t.order_type == MARKET and t.time_in_force == IOC, "invalid_order")
            check(t.side == BUY and t.quantity_lots == 0, "invalid_order")
            check(t.self_trade != DECREMENT, "invalid_order")
        if t.time_in_force == GTD:
            check(self.now < t.expires_at_ns <= AMOUNT_MAX, "invalid_order")
        else:
            check(t.expires_at_ns == 0, "invalid_order")
        check(not priced or 1 <= t.price_ticks <= AMOUNT_MAX, "invalid_price")
        at_once = t.order_type == TRAILING_STOP and t.stop_ticks == 0
        check(not stop or at_once or 1 <= t.stop_ticks <= AMOUNT_MAX, "invalid_price")
        amount = t.quote_minor if t.quote_minor else t.quantity_lots
        check(1 <= amount <= AMOUNT_MAX, "invalid_quantity")

    def band(self, market: NaiveMarket, side: int, price: int) -> int:
        bps = market.instrument.band_bps
        if side == BUY:
            return price * (10_000 + bps) // 10_000
        return max(1, rounded_up(price * (10_000 - bps), 10_000))

    def check_price(self, m: NaiveMarket, t: Terms, reference: int, around: int) -> None:
        if m.phase > PHASE_LIMIT:
            collected = t.order_type == LIMIT and t.time_in_force in (GTC, GTD)
            check(collected, "auction_limit_only")
            check(not m.uncross, "auction_uncrossing")
        elif t.order_type == MARKET:
            check(around, "no_reference")
        elif t.order_type == LIMIT:
            self.check_limit(m, t, reference)
        else:
            self.check_waiting_price(m, t)

    def check_limit(self, m: NaiveMarket, t: Terms, reference: int) -> None:
        if m.phase > PHASE_LIMIT:
            check(not m.uncross, "auction_uncrossing")
            return
        buys = t.side == BUY
        if reference:
            worst = self.band(m, t.side, reference)
            inside = t.price_ticks <= worst if buys else t.price_ticks >= worst
            check(inside, "price_band")
        opposite = self.best_price(m, SELL if buys else BUY)
        meets = opposite and (t.price_ticks >= opposite if buys else t.price_ticks <= opposite)
        check(not (t.post_only and meets), "post_only_would_take")

    def check_size(
        self, account: NaiveAccount, m: NaiveMarket, t: Terms, around: int, *, most: bool = True
    ) -> None:
        i = m.instrument
        small = account.limits.below_minimums
        notional = t.quote_minor
        if not notional:
            lots = t.quantity_lots
            few = lots <= (i.max_quantity_lots or AMOUNT_MAX) and lots * i.lot_minor <= AMOUNT_MAX
            check(not most or few, "max_quantity")
            part = t.special.display_lots if t.special else 0
            check(small or (part or lots) >= i.min_quantity_lots, "min_quantity")
            value = t.price_ticks or self.centre(m, t, around)
            notional = lots * value * i.tick_lot_minor
        check(not most or notional <= (i.max_notional_minor or AMOUNT_MAX), "max_notional")
        own = most and account.limits.max_order_notional_minor
        asset = account.limits.notional_asset_id
        check(not (own and asset) or self.worth(i, notional, asset) <= own, "max_order_notional")
        check(small or notional >= i.min_notional_minor, "min_notional")

    def position(self, account_id: int, m: NaiveMarket) -> int:
        """Lots that the account has, and those that it may still buy."""
        i = m.instrument
        key = (account_id, i.base_asset_id)
        lots = (self.available.get(key, 0) + self.held.get(key, 0)) // i.lot_minor
        # What a pair may buy counts once: only one of it holds anything.
        buys = [o for o in self.orders if o.buys and o.hold and o.account_id == account_id]
        return lots + sum(o.left for o in buys if o.terms.market_id == i.market_id)

    def check_position(self, account_id: int, m: NaiveMarket, t: Terms) -> None:
        i = m.instrument
        if not i.max_position_lots or t.side != BUY:
            return
        lots = self.position(account_id, m) + t.quantity_lots
        if t.quote_minor:
            best = self.best_price(m, SELL)
            affordable = self.affordable(t.quote_minor, i.taker_fee_ppm)
            lots += affordable // (best * i.tick_lot_minor) if best else 0
        check(lots <= i.max_position_lots, "max_position")

    def affordable(self, budget: int, ppm: int) -> int:
        """The largest notional that the budget pays with its fee, by trying."""
        notional = budget * 1_000_000 // (1_000_000 + ppm)
        while notional + 1 + fee_of(notional + 1, ppm) <= budget:
            notional += 1
        while notional + fee_of(notional, ppm) > budget:
            notional -= 1
        return notional

    def highest_ppm(self, i: Instrument, t: Terms) -> int:
        may_make = t.order_type in PRICED and t.time_in_force in (GTC, GTD)
        rates = []
        if may_make:
            rates.append(i.maker_fee_ppm)
        if not t.post_only:
            rates.append(i.taker_fee_ppm)
        return max(rates)

    def highest_ppm_of(self, o: NaiveOrder) -> int:
        """By the rates that the order entered with."""
        rates = msgspec.structs.replace(
            self.markets[o.terms.market_id].instrument,
            maker_fee_ppm=o.maker_ppm,
            taker_fee_ppm=o.taker_ppm,
        )
        return self.highest_ppm(rates, o.terms)

    def centre(self, m: NaiveMarket, t: Terms, around: int) -> int:
        """What an order without a limit is bounded around."""
        return around if t.order_type == MARKET else self.first_stop(m, t)

    def enter(self, c: Place, m: NaiveMarket, around: int) -> int:
        t, i = c.terms, m.instrument
        worst = t.price_ticks or self.band(m, t.side, self.centre(m, t, around))
        spends = i.quote_asset_id if t.side == BUY else i.base_asset_id
        free = self.free(c.account_id, spends)
        if t.side == SELL:
            hold = t.quantity_lots * i.lot_minor
        elif t.quote_minor:
            hold = t.quote_minor
        else:
            notional = t.quantity_lots * worst * i.tick_lot_minor
            hold = notional + fee_of(notional, self.highest_ppm(i, t)) + 1
            if t.order_type == MARKET and hold > free:
                best = self.best_price(m, SELL)
                one_lot = self.affordable(free, i.taker_fee_ppm) >= best * i.tick_lot_minor
                check(not best or one_lot, "insufficient_balance")
                hold = free
        check(0 < hold <= free, "insufficient_balance")
        self.move(c.account_id, spends, -hold, hold)
        self.numbers += 1
        order = NaiveOrder(
            self.numbers,
            c.account_id,
            c.client_order_id,
            t,
            worst,
            hold,
            t.quantity_lots,
            i.maker_fee_ppm,
            i.taker_fee_ppm,
        )
        self.orders.append(order)
        self.entered[order.number] = self.seq
        self.events.append(
            Accepted(
                order.number,
                c.account_id,
                c.client_order_id,
                t,
                spends,
                hold,
                i.maker_fee_ppm,
                i.taker_fee_ppm,
            )
        )
        if t.order_type in WAITING:
            self.let_wait(order, m)
        else:
            self.arrive(order, m)
        return order.number

    def arrive(self, order: NaiveOrder, m: NaiveMarket) -> None:
        if m.phase > PHASE_LIMIT:
            self.rest(order)
            return
        trades = self.trades
        self.execute(order)
        if self.trades > trades:
            self.wake_waiting(m)

    # ------------------------------------------------------------ the market

    def resting(self, m: NaiveMarket, side: int) -> list[NaiveOrder]:
        place = m.instrument.market_id, side
        return [o for o in self.orders if o.rank and (o.terms.market_id, o.terms.side) == place]

    def queue(self, m: NaiveMarket, side: int) -> list[NaiveOrder]:
        """Resting orders of one side, in the order in which they trade."""
        sign = -1 if side == BUY else 1
        return sorted(self.resting(m, side), key=lambda o: (sign * o.worst, o.rank))

    def best_price(self, m: NaiveMarket, side: int) -> int:
        queue = [o.worst for o in self.resting(m, side)]
        best = max if side == BUY else min
        return best(queue) if queue else 0

    def execute(self, order: NaiveOrder) -> None:
        t = order.terms
        m = self.markets[t.market_id]
        if t.time_in_force == FOK and not self.can_fill(order, m):
            self.end(order, CANCELLED, "fok")
            return
        why = self.match(order, m)
        if order not in self.orders:
            return
        if why == "self_trade":
            self.end(order, EXPIRED, why)
        elif t.order_type not in PRICED:
            bought = t.quote_minor and order.took and why == "budget"
            if why == "band":
                m.hit = t.side
            self.end(order, FILLED if bought else CANCELLED, why)
        elif t.time_in_force in (GTC, GTD):
            self.rest(order)
        else:
            self.end(order, CANCELLED, "ioc")

    def rest(self, order: NaiveOrder) -> None:
        """Behind all others at its price; of an iceberg only the next part is seen."""
        t = order.terms
        self.ranks += 1
        order.rank = self.ranks
        order.shown = min(order.left, (t.special and t.special.display_lots) or order.left)
        self.events.append(
            Rested(order.number, order.account_id, t.market_id, t.side, order.worst, order.shown)
        )

    def reaches(self, order: NaiveOrder, price: int) -> bool:
        return price <= order.worst if order.buys else price >= order.worst

    def budget(self, order: NaiveOrder) -> int:
        """How much notional the order may still take; only a market buy can run short."""
        if order.buys and order.terms.order_type == MARKET:
            spent = order.took + fee_of(order.took, order.taker_ppm)
            paid_in = self.paid_in[order.number]
            assert spent <= paid_in
            return self.affordable(paid_in, order.taker_ppm) - order.took
        return AMOUNT_MAX * AMOUNT_MAX

    @property
    def paid_in(self) -> dict[int, int]:
        return {e.order_id: e.hold_minor for e in self.events if isinstance(e, Accepted)}

    def can_fill(self, order: NaiveOrder, m: NaiveMarket) -> bool:
        budget = self.budget(order)
        left = order.left
        group = self.group_of(order)
        queue = self.queue(m, SELL if order.buys else BUY)
        # At each price all that is shown trades before anything that is hidden.
        parts = [(o.worst, 0, o, o.shown) for o in queue]
        parts += [(o.worst, 1, o, o.left - o.shown) for o in queue if o.left > o.shown]
        sign = 1 if order.buys else -1
        for price, _, maker, part in sorted(parts, key=lambda p: (sign * p[0], p[1])):
            if not self.reaches(order, price):
                return False
            if self.spoils_fill(maker, order):
                return False
            if self.group_of(maker) == group:
                if order.terms.self_trade == EXPIRE_MAKER:
                    continue
                return False
            lots = min(left, part)
            budget -= lots * maker.worst * m.instrument.tick_lot_minor
            left -= lots
            if budget < 0:
                return False
            if not left:
                return True
        return False

    def match(self, order: NaiveOrder, m: NaiveMarket) -> str:
        t = order.terms
        price = 0
        while True:
            lot_value = price * m.instrument.tick_lot_minor
            if t.quote_minor and price and self.budget(order) < lot_value:
                return "budget"
            queue = self.queue(m, SELL if order.buys else BUY)
            if not queue:
                return "no_liquidity"
            maker = queue[0]
            price = maker.worst
            if not self.reaches(order, price):
                return "band"
            mode = self.conflict(maker, order)
            if mode == LEFT and not order.left:
                self.orders.remove(order)
                return ""
            if mode:
                if mode != LEFT and self.prevent(maker, order, mode):
                    return "self_trade"
                price = 0
                continue
            affordable = self.budget(order) // (price * m.instrument.tick_lot_minor)
            if not affordable:
                return "budget"
            wanted = maker.shown if t.quote_minor else min(maker.shown, order.left)
            self.trade(maker, order, m, min(wanted, affordable))
            if not t.quote_minor and not order.left:
                self.orders.remove(order)
                return ""

    def group_of(self, order: NaiveOrder) -> int:
        return self.accounts[order.account_id].group

    def groups_of(self, order: NaiveOrder) -> set[int]:
        """All whom it trades for."""
        return {self.group_of(order)}

    def conflict(self, maker: NaiveOrder, taker: NaiveOrder) -> int:
        """Who has to go because both are of one trade group."""
        groups = {self.group_of(o) for o in (maker, taker)}
        return taker.terms.self_trade if len(groups) == 1 else 0

    def spoils_fill(self, maker: NaiveOrder, taker: NaiveOrder) -> bool:
        return False

    def prevent(self, maker: NaiveOrder, order: NaiveOrder, mode: int) -> bool:
        """Two orders of one group have met; answers whether the arriving one ends."""
        raise NotImplementedError

    def trade(
        self, maker: NaiveOrder, taker: NaiveOrder, m: NaiveMarket, lots: int, at: int = 0
    ) -> None:
        """At the maker's price, or at that of an auction, where both are makers."""
        i, price = m.instrument, at or maker.worst
        m.traded_inside = True
        quote, base = price * lots * i.tick_lot_minor, lots * i.lot_minor
        maker_fee = fee_of(maker.made + quote, maker.maker_ppm) - fee_of(
            maker.made, maker.maker_ppm
        )
        before = taker.made if at else taker.took
        ppm = taker.maker_ppm if at else taker.taker_ppm
        taker_fee = fee_of(before + quote, ppm) - fee_of(before, ppm)
        maker.made += quote
        if at:
            taker.made += quote
        else:
            taker.took += quote
        maker.left -= lots
        maker.shown = max(0, maker.shown - lots)
        if at:
            taker.shown = max(0, taker.shown - lots)
        if not taker.terms.quote_minor:
            taker.left -= lots
        maker_used = self.settle(maker, i, quote, base, maker_fee)
        taker_used = self.settle(taker, i, quote, base, taker_fee)
        self.move(FEE_ACCOUNT_ID, i.quote_asset_id, maker_fee + taker_fee)
        if not maker.left:
            self.orders.remove(maker)
        self.trades += 1
        m.last = m.fallback = price
        m.trades.append((self.now // SECOND, price, lots))
        self.events.append(
            Trade(
                self.trades,
                i.market_id,
                taker.terms.side,
                price,
                lots,
                base,
                quote,
                maker.number,
                maker.account_id,
                maker_fee,
                maker_used,
                maker.left,
                taker.number,
                taker.account_id,
                taker_fee,
                taker_used,
                taker.left,
            )
        )
        if maker.left and not maker.shown and not at:
            self.rest(maker)

    def need(self, o: NaiveOrder, left: int, worst: int = 0) -> int:
        """What has to be held for so many lots, at its worst price or another."""
        i = self.markets[o.terms.market_id].instrument
        if not o.buys:
            return left * i.lot_minor
        notional = left * (worst or o.worst) * i.tick_lot_minor
        return notional + fee_of(notional, self.highest_ppm_of(o)) + 1

    def settle(self, o: NaiveOrder, i: Instrument, quote: int, base: int, fee: int) -> int:
        """Balances of one side of a trade; answers by how much the order's hold fell."""
        if not o.buys:
            o.hold -= base
            self.move(o.account_id, i.base_asset_id, 0, -base)
            self.move(o.account_id, i.quote_asset_id, quote - fee)
            return base
        keep = o.hold - quote - fee
        assert keep >= 0
        if not o.terms.quote_minor:
            keep = min(keep, self.need(o, o.left)) if o.left else 0
        used = o.hold - keep
        o.hold = keep
        self.move(o.account_id, i.quote_asset_id, used - quote - fee, -used)
        self.move(o.account_id, i.base_asset_id, base)
        return used
