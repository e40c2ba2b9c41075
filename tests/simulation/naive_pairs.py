"""The naive engine's orders that belong together: pairs, and purchases with what protects them."""

from __future__ import annotations

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    CANCELLED,
    GTC,
    LIMIT,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
    Accepted,
    Amended,
    AnyCommand,
    Duplicate,
    Place,
    PlacePair,
    Terms,
)
from tests.simulation.naive_triggers import WAITING, asks_for_exits, behind
from tests.simulation.naive_venue import NaiveVenue
from tests.simulation.naive_world import (
    NaiveAccount,
    NaiveMarket,
    NaiveOrder,
    Repeated,
    check,
)


def exit_ids(client_order_id: str, t: Terms) -> list[str]:
    asked = t.special
    ids = [("-tp", asked.take_profit_ticks), ("-sl", asked.stop_loss_ticks)] if asked else []
    return [client_order_id + ending for ending, ticks in ids if ticks > 0]


class NaivePairs(NaiveVenue):
    def __init__(self) -> None:
        super().__init__()
        self.traded: dict[int, tuple[NaiveOrder, int]] = {}
        self.doomed: list[NaiveOrder] = []

    # ------------------------------------------------------------ orders in

    def dispatch(self, command: AnyCommand) -> None:
        if isinstance(command, PlacePair):
            check(command.terms.post_only, "invalid_pair")
        super().dispatch(command)

    def check_repeated(self, c: Place) -> None:
        for _, seq, number, earlier in self.ordered.get(c.account_id, {}).values():
            if not isinstance(earlier, Place):
                continue
            own = earlier.client_order_id
            if not c.client_order_id.startswith(own):
                continue
            if own == c.client_order_id and PlacePair in (type(earlier), type(c)):
                check(isinstance(earlier, PlacePair) and isinstance(c, PlacePair), "id_reused")
                assert isinstance(earlier, PlacePair)
                assert isinstance(c, PlacePair)
                same = (earlier.terms, earlier.stop_terms) == (c.terms, c.stop_terms)
                check(same, "id_reused")
                raise Repeated(Duplicate(seq, number))
            others = exit_ids(own, earlier.terms)
            if isinstance(earlier, PlacePair):
                others.append(own + "-stop")
            check(c.client_order_id not in others, "id_reused")
        for o in self.orders:
            if o.account_id == c.account_id and c.client_order_id.startswith(o.client_order_id):
                check(c.client_order_id not in exit_ids(o.client_order_id, o.terms), "id_reused")
                if o.client_order_id == c.client_order_id and o.number not in self.remembered:
                    check(not o.follows and not isinstance(c, PlacePair), "id_reused")
        super().check_repeated(c)

    @property
    def remembered(self) -> set[int]:
        return {m[2] for m in self.memory.values()}

    def is_taken(self, account_id: int, client_order_id: str) -> bool:
        taken = set()
        for o in self.orders:
            if o.account_id == account_id and client_order_id.startswith(o.client_order_id):
                taken |= {o.client_order_id, *exit_ids(o.client_order_id, o.terms)}
        for _, _, _, c in self.ordered.get(account_id, {}).values():
            if isinstance(c, Place) and client_order_id.startswith(c.client_order_id):
                taken |= {c.client_order_id, *exit_ids(c.client_order_id, c.terms)}
                if isinstance(c, PlacePair):
                    taken.add(c.client_order_id + "-stop")
        return client_order_id in taken

    def check_exits(self, m: NaiveMarket, t: Terms) -> None:
        if not asks_for_exits(t):
            return
        assert t.special is not None
        check(t.side == BUY, "bracket_needs_buy")
        take, stop = t.special.take_profit_ticks, t.special.stop_loss_ticks
        paid = t.price_ticks or t.stop_ticks or m.last
        paid = paid or self.reference(t.market_id) or self.best_price(m, SELL)
        check(not take or take > paid, "invalid_bracket")
        check(not stop or stop < paid, "invalid_bracket")
        limit = t.special.stop_loss_limit_ticks
        check(not limit or limit >= self.band(m, SELL, stop), "price_band")
        most = m.instrument.max_notional_minor or AMOUNT_MAX
        check(take * t.quantity_lots * m.instrument.tick_lot_minor <= most, "max_notional")

    def check_exit_ids(self, c: Place) -> None:
        ids = exit_ids(c.client_order_id, c.terms)
        check(not ids or len(c.client_order_id) <= 58, "invalid_order")
        check(not any(self.is_taken(c.account_id, each) for each in ids), "id_reused")

    def admit(self, c: Place, account: NaiveAccount, market: NaiveMarket) -> int:
        if not isinstance(c, PlacePair):
            return super().admit(c, account, market)
        t, s = c.terms, c.stop_terms
        check(s.order_type in (STOP, STOP_LIMIT, TRAILING_STOP), "invalid_pair")
        check(t.special is None and not asks_for_exits(s), "invalid_pair")
        for name in (
            "market_id", "side", "quantity_lots", "time_in_force", "expires_at_ns", "self_trade",
        ):  # fmt: skip
            check(getattr(t, name) == getattr(s, name), "invalid_pair")
        for terms in (t, s):
            self.check_states(account, market, terms)
            self.check_shape(terms)
            self.check_price(market, terms, self.reference(t.market_id), 0)
            self.check_size(account, market, terms, 0)
            self.check_open(c.account_id, account, 1)
            if terms is t:
                self.check_position(c.account_id, market, terms)
        self.check_apart(t, self.first_stop(market, s))
        self.check_open(c.account_id, account, 2)
        check(len(c.client_order_id) <= 58, "invalid_order")
        check(not self.is_taken(c.account_id, c.client_order_id + "-stop"), "id_reused")
        return self.enter_pair(c, market)

    def check_apart(self, limit: Terms, stop: int) -> None:
        price = limit.price_ticks
        check(price < stop if limit.side == BUY else price > stop, "invalid_pair")

    def enter_pair(self, c: PlacePair, m: NaiveMarket) -> int:
        limit = self.made(c.account_id, c.client_order_id, c.terms, m)
        stop = self.made(c.account_id, c.client_order_id + "-stop", c.stop_terms, m)
        limit.pair, stop.pair = stop, limit
        need = self.need(limit, limit.left)
        spends, _ = self.assets_of(limit)
        check(self.free(c.account_id, spends) >= need, "insufficient_balance")
        self.enlist(limit, m, need)
        self.enlist(stop, m, 0)
        self.announce(limit)
        self.announce(stop)
        self.let_wait(stop, m)
        self.arrive(limit, m)
        return limit.number

    def made(self, account_id: int, name: str, t: Terms, m: NaiveMarket) -> NaiveOrder:
        i = m.instrument
        worst = t.price_ticks or self.band(m, t.side, self.first_stop(m, t))
        rates = (i.maker_fee_ppm, i.taker_fee_ppm)
        order = NaiveOrder(0, account_id, name, t, worst, 0, t.quantity_lots, *rates)
        order.follows = True
        return order

    def enlist(self, order: NaiveOrder, m: NaiveMarket, hold: int) -> None:
        spends, _ = self.assets_of(order)
        self.move(order.account_id, spends, -hold, hold)
        order.hold = hold
        self.numbers += 1
        order.number = self.numbers
        self.orders.append(order)
        self.entered[order.number] = self.seq

    def announce(self, o: NaiveOrder) -> None:
        spends, _ = self.assets_of(o)
        self.events.append(
            Accepted(
                o.number, o.account_id, o.client_order_id, o.terms, spends, o.hold, o.maker_ppm,
                o.taker_ppm, o.pair.number if o.pair else 0, o.entry.number if o.entry else 0,
            )
        )  # fmt: skip

    # ------------------------------------------------------------ what one does to another

    def need(self, order: NaiveOrder, left: int, worst: int = 0) -> int:
        own = super().need(order, left, worst)
        if order.pair is None:
            return own
        return max(own, super().need(order.pair, left))

    def is_tied(self, order: NaiveOrder) -> bool:
        return bool(order.pair or order.entry or asks_for_exits(order.terms))

    def trade(
        self, maker: NaiveOrder, taker: NaiveOrder, m: NaiveMarket, lots: int, at: int = 0
    ) -> None:
        super().trade(maker, taker, m, lots, at)
        for order in (maker, taker):
            if self.is_tied(order):
                _, before = self.traded.get(order.number, (order, 0))
                self.traded[order.number] = (order, before + lots)

    def lessen(self, order: NaiveOrder, lots: int, gone: int, why: str) -> None:
        super().lessen(order, lots, gone, why)
        if why == "self_trade" and order.pair:
            super().lessen(order.pair, lots, lots, "pair")

    def end(self, order: NaiveOrder, status: int, reason: str) -> None:
        super().end(order, status, reason)
        if order.number not in self.traded:
            self.follow_end(order)

    def follow_end(self, order: NaiveOrder) -> None:
        pair, entry = order.pair, order.entry
        order.pair = order.entry = None
        if pair:
            pair.pair = pair.entry = None
            self.end(pair, CANCELLED, "pair")
        if entry:
            entry.exits = []
            self.doomed.append(entry)

    def end_doomed(self) -> None:
        doomed, self.doomed = self.doomed, []
        for entry in doomed:
            if entry in self.orders:
                self.end(entry, CANCELLED, "pair")

    def attend(self) -> None:
        self.end_doomed()
        super().attend()

    def take_over(self, stop: NaiveOrder) -> tuple[int, int]:
        pair, found = stop.pair, (0, 0)
        if not (pair or stop.entry):
            return found
        if pair:
            stop.hold, pair.hold = pair.hold, 0
            found = (stop.hold, pair.number)
        self.follow_end(stop)
        self.end_doomed()
        return found

    def follow_fills(self, m: NaiveMarket) -> None:
        while self.traded:
            traded = sorted(self.traded.values(), key=lambda pair: pair[0].number)
            self.traded = {}
            entries = [each for each in traded if asks_for_exits(each[0].terms)]
            for order, lots in traded:
                if asks_for_exits(order.terms):
                    continue
                if order not in self.orders:
                    self.follow_end(order)
                elif order.pair:
                    super().lessen(order.pair, lots, lots, "pair")
            for entry, lots in entries:
                if entry.exits:
                    self.grow(entry.exits, lots)
                else:
                    self.open_exits(entry, lots, m)

    def open_exits(self, entry: NaiveOrder, lots: int, m: NaiveMarket) -> None:
        asked = entry.terms.special
        assert asked is not None
        kinds = []
        if asked.take_profit_ticks:
            kinds.append((LIMIT, asked.take_profit_ticks, 0))
        if asked.stop_loss_ticks:
            limit = asked.stop_loss_limit_ticks
            kinds.append((STOP_LIMIT if limit else STOP, limit, asked.stop_loss_ticks))
        names = exit_ids(entry.client_order_id, entry.terms)
        for (kind, price, stop), name in zip(kinds, names, strict=True):
            t = Terms(
                entry.terms.market_id, SELL, kind, GTC, lots, price_ticks=price, stop_ticks=stop,
                self_trade=entry.terms.self_trade,
            )  # fmt: skip
            entry.exits.append(self.made(entry.account_id, name, t, m))
        exits = list(entry.exits)
        for number, order in enumerate(exits):
            order.entry = entry
            order.pair = exits[1 - number] if len(exits) == 2 else None
            self.enlist(order, m, 0 if number else lots * m.instrument.lot_minor)
        for order in exits:
            self.announce(order)
        for order in exits:
            if order.terms.order_type in WAITING:
                self.let_wait(order, m)
        if exits[0].terms.order_type == LIMIT:
            self.execute(exits[0])

    def grow(self, exits: list[NaiveOrder], lots: int) -> None:
        for number, o in enumerate(exits):
            t = msgspec.structs.replace(o.terms, quantity_lots=o.terms.quantity_lots + lots)
            more = 0 if number else lots * self.markets[t.market_id].instrument.lot_minor
            spends, _ = self.assets_of(o)
            self.move(o.account_id, spends, -more, more)
            place, gone = (o.worst, o.shown) if o.rank else (0, 0)
            o.terms, o.left, o.hold = t, o.left + lots, o.hold + more
            self.events.append(
                Amended(
                    o.number, o.account_id, t.market_id, t.side, t, o.worst, o.left, o.hold, more,
                    place, gone, "pair",
                )
            )  # fmt: skip
            if o.rank:
                self.rest(o)

    # ------------------------------------------------------------ amendments

    def check_linked(self, order: NaiveOrder, t: Terms) -> None:
        linked = order.pair or order.entry
        check(not linked or t.quantity_lots == order.terms.quantity_lots, "linked_order")

    def check_amended_pair(self, order: NaiveOrder, m: NaiveMarket, t: Terms) -> None:
        if order.pair:
            limit, stop, terms = t, order.pair, order.pair.terms
            if order.waiting:
                limit, stop, terms = order.pair.terms, order, t
            now = behind(terms, stop.best) if stop.best else self.first_stop(m, terms)
            self.check_apart(limit, now)

    def amended_hold(self, order: NaiveOrder, left: int, worst: int) -> int:
        """Of a pair the limit order holds for both; what the stop needs may be too much for it."""
        need = self.need(order, left, worst)
        if order.pair is None or not order.waiting:
            return need
        limit = order.pair
        spends, _ = self.assets_of(order)
        free = self.free(order.account_id, spends) + limit.hold
        check(free >= need, "insufficient_balance")
        return order.hold

    def after_change(self, order: NaiveOrder) -> None:
        limit = order.pair
        if limit is None or not order.waiting:
            return
        hold = self.need(limit, limit.left)
        change = hold - limit.hold
        if change:
            spends, _ = self.assets_of(limit)
            self.move(limit.account_id, spends, -change, change)
            limit.hold = hold
            t = limit.terms
            self.events.append(
                Amended(
                    limit.number, limit.account_id, t.market_id, t.side, t, limit.worst,
                    limit.left, hold, change, limit.worst, 0, "pair",
                )
            )  # fmt: skip
