"""The naive engine's halts: limit state, call phase, and the auction, by trying every price."""

from __future__ import annotations

import copy

import msgspec

from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    EXPIRE_TAKER,
    EXPIRED,
    HALTED,
    OPEN,
    PHASE_AUCTION,
    PHASE_EXTENDED,
    PHASE_LIMIT,
    PHASE_OPEN,
    PHASE_STAFF,
    SELL,
    CallAuction,
    Indicated,
    InstrumentSet,
    PhaseChanged,
    Prevented,
    ReopenMarket,
    Uncrossed,
)
from tests.simulation.naive import NaiveEngine
from tests.simulation.naive_world import LEFT, SECOND, NaiveMarket, NaiveOrder, check

Pair = tuple[NaiveOrder, NaiveOrder, int]


class NaiveAuctions(NaiveEngine):
    def attend(self) -> None:
        for m in self.markets.values():
            if m.phase == PHASE_LIMIT and m.traded_inside:
                self.turn_to(m, PHASE_OPEN, 0, "traded_inside")
            seconds = m.instrument.limit_state_seconds
            if m.phase == PHASE_OPEN and m.hit and seconds and self.is_open(m):
                m.limit_side = m.hit
                self.turn_to(m, PHASE_LIMIT, seconds, "band_reached")
            m.hit, m.traded_inside = 0, False

    def is_open(self, m: NaiveMarket) -> bool:
        return self.venue == OPEN and m.instrument.state == OPEN

    def turn_to(self, m: NaiveMarket, phase: int, seconds: int, reason: str) -> None:
        m.phase, m.uncross, m.uncrossed = phase, 0, 0
        m.until = (self.now + seconds * SECOND, self.seq) if seconds else None
        if phase <= PHASE_LIMIT:
            m.looks, m.told, m.step = None, (0, 0, 0), 100
        elif not m.looks:
            self.look_later(m)
        until = m.until[0] if m.until else 0
        self.events.append(PhaseChanged(m.instrument.market_id, phase, until, reason))

    def look_later(self, m: NaiveMarket) -> None:
        seconds = 10 if m.phase == PHASE_STAFF else 1
        m.looks = (self.now + seconds * SECOND, self.seq)

    def on_unveil(self, market_id: int) -> None:
        m = self.markets[market_id]
        if not m.uncross:
            told = self.indicative(m)
            if told != m.told:
                m.told = told
                self.events.append(Indicated(market_id, *told))
        self.look_later(m)

    def on_turn(self, market_id: int) -> None:
        m = self.markets[market_id]
        pause = m.instrument.halt_seconds or 300
        if m.phase == PHASE_LIMIT:
            if not self.is_open(m):
                return self.turn_to(m, PHASE_OPEN, 0, "market_closed")
            best = self.best_price(m, SELL if m.limit_side == BUY else BUY)
            edge = self.band(m, m.limit_side, self.reference(market_id))
            near = best <= edge if m.limit_side == BUY else best >= edge
            if best and (near or not self.reference(market_id)):
                return self.turn_to(m, PHASE_OPEN, 0, "back_inside")
            return self.turn_to(m, PHASE_AUCTION, pause, "nothing_inside")
        if not self.is_open(m):
            return self.turn_to(m, PHASE_STAFF, 0, "market_closed")
        if m.uncross > 0:
            return self.go_on(m)
        if self.too_many(m) or self.is_inside(m, self.indicative(m)[0]):
            return self.uncross(m)
        if m.phase == PHASE_AUCTION:
            return self.turn_to(m, PHASE_EXTENDED, pause, "price_outside")
        return self.turn_to(m, PHASE_STAFF, 0, "price_outside")

    def is_inside(self, m: NaiveMarket, price: int) -> bool:
        reference = self.reference(m.instrument.market_id)
        if not price or not reference:
            return True
        return self.band(m, SELL, reference) <= price <= self.band(m, BUY, reference)

    def prospect(self, m: NaiveMarket) -> tuple[int, list[Pair]]:
        """(price, fills) of the orders that there are, whoever meets whom."""
        bids, asks = self.queue(m, BUY), self.queue(m, SELL)
        price = self.auction_price(m, bids, asks)
        return price, self.fills(bids, asks, price)

    def separate(self, m: NaiveMarket) -> bool:
        """The first two that must not meet do not any more. Whether there were any."""
        for bid, ask, _ in self.prospect(m)[1]:
            older, newer = sorted((bid, ask), key=lambda o: o.age)
            if self.part(older, newer):
                return True
        return False

    def copied(self, m: NaiveMarket) -> tuple[NaiveAuctions, NaiveMarket]:
        """The world once more, to try things out; what nobody changes by trying is not copied."""
        kept: list[object] = [self.memory, self.ordered]
        kept += [order.terms for order in self.orders]
        # What waits for a price, and is linked to nothing, is in no auction.
        unlinked = [o for o in self.orders if not (o.pair or o.entry or o.exits)]
        kept += [order for order in unlinked if not order.rank]
        for market in self.markets.values():
            kept += market.trades, market.instrument
        for account in self.accounts.values():
            kept += account.placed, account.limits
        numbers = (self.available, self.held, self.holds, self.entered)
        copies = {id(each): each for each in kept} | {id(each): dict(each) for each in numbers}
        world = copy.deepcopy(self, copies)
        return world, world.markets[m.instrument.market_id]

    def must_part(self, fills: list[Pair]) -> bool:
        """Whether two of those who would meet must not."""
        return any(self.groups_of(bid) & self.groups_of(ask) for bid, ask, _ in fills)

    def too_many(self, m: NaiveMarket) -> bool:
        """More have to go than may in one step."""
        if not self.must_part(self.prospect(m)[1]):
            return False
        world, its = self.copied(m)
        return all(world.separate(its) for _ in range(m.step + 1))

    def part(self, older: NaiveOrder, newer: NaiveOrder) -> bool:
        """As if the newer had come to the resting older one, but that nobody has a mode."""
        mode = self.conflict(older, newer)
        if not mode:
            return False
        if mode == LEFT:
            return True
        if newer.account_id > 0:
            mode = EXPIRE_TAKER
        market_id = older.terms.market_id
        self.events.append(Prevented(market_id, older.number, newer.number, mode))
        self.end(newer if mode == EXPIRE_TAKER else older, EXPIRED, "self_trade")
        return True

    def indicative(self, m: NaiveMarket) -> tuple[int, int, int]:
        """Price, lots and surplus there would be now, tried out in a copy of the world."""
        world, its = self, m
        price, fills = self.prospect(m)
        if self.must_part(fills):
            world, its = self.copied(m)
            for _ in range(m.step):
                if not world.separate(its):
                    break
            price, fills = world.prospect(its)
        if not price:
            return 0, 0, 0
        wanted = sum(o.left for o in world.queue(its, BUY) if o.worst >= price)
        offered = sum(o.left for o in world.queue(its, SELL) if o.worst <= price)
        return price, sum(lots for _, _, lots in fills), wanted - offered

    def auction_price(self, m: NaiveMarket, bids: list[NaiveOrder], asks: list[NaiveOrder]) -> int:
        reference = self.reference(m.instrument.market_id)
        prices = [o.worst for o in (*bids, *asks)]
        near = {price + step for price in prices for step in (-1, 0, 1)} | {reference}
        lowest = min((o.worst for o in asks), default=0)
        highest = max((o.worst for o in bids), default=0)
        best: tuple[int, ...] = (0,)
        for price in (price for price in near if lowest <= price <= highest):
            buy = sum(o.left for o in bids if o.worst >= price)
            sell = sum(o.left for o in asks if o.worst <= price)
            traded = min(buy, sell) if price > 0 else 0
            if traded:
                away = abs(price - reference) if reference else 0
                best = max(best, (traded, -abs(buy - sell), -away, -price))
        return -best[3] if best[0] else 0

    def fills(self, bids: list[NaiveOrder], asks: list[NaiveOrder], price: int) -> list[Pair]:
        found: list[Pair] = []
        left = {o.number: o.left for o in (*bids, *asks)}
        while price:
            bid = next((o for o in bids if left[o.number] and o.worst >= price), None)
            ask = next((o for o in asks if left[o.number] and o.worst <= price), None)
            if bid is None or ask is None:
                break
            lots = min(left[bid.number], left[ask.number])
            left[bid.number] -= lots
            left[ask.number] -= lots
            found.append((bid, ask, lots))
        return found

    def uncross(self, m: NaiveMarket) -> None:
        too_many = self.too_many(m)
        for _ in range(m.step):
            self.separate(m)
        price, _ = self.prospect(m)
        if too_many:
            self.rest_for(m, -1)
        elif price:
            m.uncross = price
            self.go_on(m)
        else:
            self.turn_to(m, PHASE_OPEN, 0, "nothing_crosses")
            if m.last:
                self.wake_waiting(m)

    def rest_for(self, m: NaiveMarket, price: int) -> None:
        m.uncross = price
        m.until = (self.now + 10_000_000, self.seq)

    def go_on(self, m: NaiveMarket) -> None:
        price = m.uncross
        fills = self.fills(self.queue(m, BUY), self.queue(m, SELL), price)
        apart = self.first_apart(fills[: m.step + 1])
        self.exchange(m, price, fills[: min(apart, m.step)])
        is_last = len(fills) <= m.step
        if apart < min(len(fills), m.step + 1):
            is_last = False
            self.part(*sorted(fills[apart][:2], key=lambda o: o.age))
        crossed = bool(self.prospect(m)[0])
        if is_last and not crossed:
            self.turn_to(m, PHASE_OPEN, 0, "price_found")
            self.wake_waiting(m)
        else:
            self.follow_fills(m)
            self.rest_for(m, -1 if is_last else price)
        m.traded_inside = False

    def first_apart(self, fills: list[Pair]) -> int:
        """The number of the first fill whose two must not meet."""
        apart = (number for number in range(len(fills)) if self.must_part([fills[number]]))
        return next(apart, len(fills))

    def exchange(self, m: NaiveMarket, price: int, fills: list[Pair]) -> None:
        market_id = m.instrument.market_id
        if fills:
            traded: dict[int, int] = {}
            left: dict[tuple[int, int], int] = {}
            for bid, ask, lots in fills:
                for o in (bid, ask):
                    traded[o.number] = traded.get(o.number, 0) + lots
                    left[o.terms.side, o.worst] = 0
            for o in (o for pair in fills for o in pair[:2]):
                left[o.terms.side, o.worst] += min(o.shown, traded.pop(o.number, 0))
            levels = tuple((side, at, lots) for (side, at), lots in left.items())
            volume = sum(lots for _, _, lots in fills)
            m.uncrossed += volume
            self.events.append(Uncrossed(market_id, price, volume, len(fills), levels, m.uncrossed))
        for bid, ask, lots in fills:
            older, newer = sorted((bid, ask), key=lambda o: o.age)
            self.trade(older, newer, m, lots, at=price)
            if not newer.left:
                self.orders.remove(newer)
        for o in self.orders:
            if o.terms.market_id == market_id and o.rank and not o.shown:
                self.rest(o)

    def do_CallAuction(self, c: CallAuction) -> None:
        check(c.market_id in self.markets, "unknown_market")
        m = self.markets[c.market_id]
        check(self.venue != HALTED, "venue_halted")
        check(self.venue != CANCEL_ONLY, "cancel_only")
        check(1 <= c.seconds <= 86_400 and 0 <= c.step_orders <= 100, "invalid_timeout")
        running = m.uncross or m.phase in (PHASE_AUCTION, PHASE_EXTENDED)
        check(not running, "auction_running")
        if m.instrument.state != OPEN:
            m.instrument = msgspec.structs.replace(m.instrument, state=OPEN)
            self.events.append(InstrumentSet(m.instrument))
        self.turn_to(m, PHASE_AUCTION, c.seconds, "called_by_staff")
        m.step = c.step_orders or 100

    def do_ReopenMarket(self, c: ReopenMarket) -> None:
        check(c.market_id in self.markets, "unknown_market")
        m = self.markets[c.market_id]
        check(self.venue != HALTED, "venue_halted")
        check(m.instrument.state != HALTED, "market_halted")
        check(self.is_open(m), "cancel_only")
        check(m.phase >= PHASE_AUCTION, "no_auction")
        check(not m.uncross, "auction_running")
        near = self.too_many(m) or self.is_inside(m, self.indicative(m)[0])
        check(near, "price_band")
        self.uncross(m)
