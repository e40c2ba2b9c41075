"""Random commands from a seed: honest, careless and hostile ones, over a world the seed draws."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    NORMAL,
    OPEN,
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
    AnyCommand,
    AnyEvent,
    CallAuction,
    Cancel,
    CancelAll,
    CancelAllAfter,
    Closed,
    Deposit,
    Hold,
    Instrument,
    Kill,
    Leg,
    Limits,
    ListInstrument,
    Malformed,
    OpenAccount,
    OpenBlock,
    PhaseChanged,
    Place,
    PlacePair,
    Quarantined,
    Release,
    ReopenMarket,
    Replace,
    SetAccount,
    SetInstrument,
    SetReference,
    SetRules,
    Settle,
    SetVenue,
    Special,
    Terms,
    Tick,
    Trade,
    Transfer,
)
from tests.simulation.flow_pairs import ENDINGS, PairFlow

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
QUOTE = 1

FORCES = {
    LIMIT: (GTC,) * 12 + (GTD, GTD, IOC, IOC, FOK),
    MARKET: (IOC, IOC, IOC, FOK),
    STOP: (GTC, GTD),
    STOP_LIMIT: (GTC, GTD, IOC, FOK),
    TAKE_PROFIT: (GTC, GTD),
    TAKE_PROFIT_LIMIT: (GTC, GTD, IOC, FOK),
    TRAILING_STOP: (GTC, GTC, GTD),
}
PRICED = (LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT)
TAKE_PROFITS = (TAKE_PROFIT, TAKE_PROFIT_LIMIT)
WAITING = (STOP, STOP_LIMIT, *TAKE_PROFITS, TRAILING_STOP)


class Flow(PairFlow):
    """A world drawn from a seed, and endless commands in it.

    ``commands`` yields (command, clock); what the engine answers comes back through ``learn``,
    so that cancels and repeats can name what is there.
    """

    def __init__(self, seed: int) -> None:
        self.random = draw = random.Random(seed)
        self.now_ns = START_NS + draw.randrange(SECOND)
        self.issued = seed << 32
        self.accounts = list(range(1000, 1000 + draw.choice((2, 3, 5, 8, 20, 40))))
        self.markets = list(range(1, 1 + draw.choice((1, 1, 2, 3))))
        self.groups = draw.choice((2, 5, 100, 100))
        self.spread = draw.choice((2, 5, 12, 40))
        self.lots = draw.choice((3, 20, 500))
        self.cluster = draw.choice((1, 1, 4, 10))
        self.hostile = draw.choice((0.0, 0.05, 0.05, 0.3))
        self.hurry_ns = draw.choice((1_000, SECOND // 20, SECOND // 2, 5 * SECOND))
        self.takers = draw.choice((0.05, 0.15, 0.4))
        self.stops = draw.choice((0.0, 0.2, 0.5))
        self.icebergs = draw.choice((0.0, 0.2, 0.5))
        # Few distances, so that trailing stops share them.
        self.trails = [
            Special(trail_ticks=draw.choice((1, 2, 3, self.spread))),
            Special(trail_bps=draw.choice((1, 30, 100, 1_000, 5_000))),
        ]
        self.wealth = draw.choice((10, 1_000, 100_000))
        self.mid = {market_id: draw.choice((60, 1_000, 50_000)) for market_id in self.markets}
        self.instruments: dict[int, Instrument] = {}
        self.live: dict[int, tuple[int, str, int]] = {}
        self.calling: set[int] = set()
        self.sides: dict[int, int] = {}
        self.partly: dict[int, None] = {}
        self.sent: list[AnyCommand] = []
        self.clients = 0
        self.repairs: list[AnyCommand] = []
        self.sells = False
        self.begin_blocks()
        self.begin_pairs()

    def commands(self, count: int) -> Iterator[tuple[AnyCommand, int]]:
        opening = self._opening()
        for _ in range(count):
            self._let_time_pass()
            command = next(opening, None) or self._next()
            self.sent.append(command)
            yield command, self.now_ns - self.random.choice((0, 0, 0, 0, SECOND))

    def learn(self, events: list[AnyEvent]) -> None:
        for event in events:
            self.learn_blocks(event)
            if isinstance(event, Accepted) and event.account_id > 0:
                self.live[event.order_id] = (
                    event.account_id,
                    event.client_order_id,
                    event.terms.market_id,
                )
                self.sides[event.order_id] = event.terms.side
            elif isinstance(event, PhaseChanged):
                self.calling.discard(event.market_id)
                if event.phase > PHASE_LIMIT:
                    self.calling.add(event.market_id)
            elif isinstance(event, Closed):
                self.live.pop(event.order_id, None)
            elif isinstance(event, Trade):
                self.mid[event.market_id] = event.price_ticks
                self.partly[event.maker_order_id] = None
                if not event.maker_remaining_lots:
                    self.live.pop(event.maker_order_id, None)

    # ------------------------------------------------------------ the world

    def _let_time_pass(self) -> None:
        draw = self.random
        self.now_ns += draw.randrange(1 + self.hurry_ns)
        if draw.random() < 0.006:
            self.now_ns += draw.choice((30, 200, 299, 300, 599, 601, 5000)) * SECOND

    def _head(self, ahead: int = 5) -> tuple[bytes, int]:
        self.issued += 1
        return self.issued.to_bytes(16, "big"), self.now_ns + ahead * SECOND

    def _opening(self) -> Iterator[AnyCommand]:
        for market_id in self.markets:
            yield ListInstrument(*self._head(), self._instrument(market_id))
        for account_id in self.accounts:
            group = 1 + account_id % self.groups
            yield OpenAccount(*self._head(), account_id, group, self._limits())
            for asset_id in {QUOTE, *(10 + market_id for market_id in self.markets)}:
                amount = self.wealth * self.random.randint(1, 1_000_000)
                yield Deposit(*self._head(), account_id, asset_id, amount)
        for market_id in self.markets:
            if self.random.random() < 0.7:
                yield SetReference(*self._head(), market_id, self.mid[market_id])

    def _instrument(self, market_id: int) -> Instrument:
        draw = self.random
        found = self.instruments[market_id] = Instrument(
            market_id,
            10 + market_id,
            # Not every market is against the same asset.
            11 if market_id == 3 else QUOTE,
            draw.choice((1, 7, 1_000)),
            draw.choice((1, 3, 10)),
            draw.choice((1, 1, 2)),
            draw.choice((0, 300, 10_000)),
            draw.choice((0, 1, 100)),
            draw.choice((0, 10**9)),
            draw.choice((0, 1, 333, 800)),
            draw.choice((0, 7, 1_000, 100_000)),
            draw.choice((50, 500, 1_000, 10_000)),
            OPEN,
            draw.choice((0, 0, 0, 0, 0, 2_000_000)),
            f"M{market_id}",
            *draw.choice(((0, 0), (1, 2), (1, 2), (15, 20), (15, 300), (15, 0))),
        )
        return found

    def _limits(self) -> Limits:
        draw = self.random
        return Limits(
            draw.choice((0, 0, 4, 30, 200)),
            draw.choice((0, 0, 0, 5, 50)),
            draw.choice((0, 0, 0, 2, 10)),
            draw.choice((False, False, True)),
            draw.choice((0, 0, 0, self.lots * draw.choice(list(self.mid.values())) * 3)),
            draw.choice((QUOTE, 11, 0)),
        )

    # ------------------------------------------------------------ what comes next

    def _next(self) -> AnyCommand:
        draw = self.random
        if self.repairs and draw.random() < 0.1:
            return msgspec.structs.replace(self.repairs.pop(), valid_until_ns=self.now_ns + SECOND)
        if draw.random() < self.hostile:
            return self._hostile()
        if draw.random() < self.blockiness:
            return self.block_command()
        chance = draw.random()
        if chance < 0.7:
            return self._place(draw.choice(self.accounts))
        if chance < 0.82 and self.live:
            return self._cancel()
        if chance < 0.86 and self.live:
            return self._amend()
        if chance < 0.88 and self.live:
            return self._replace()
        if chance < 0.95:
            return self._money()
        if chance < 0.98:
            return Tick(*self._head())
        return self._staff()

    def _cancel(self) -> AnyCommand:
        draw = self.random
        order_id = draw.choice(list(self.live))
        account_id, client_order_id, market_id = self.live[order_id]
        chance = draw.random()
        if chance < self.hostile / 5:
            return Cancel(*self._head(), draw.choice(self.accounts), order_id)
        if chance < 0.7:
            return Cancel(*self._head(), account_id, order_id)
        if chance < 0.84:
            return Cancel(*self._head(), account_id, 0, client_order_id)
        if chance < 0.94:
            side = draw.choice((0, 0, BUY, SELL))
            forced = draw.random() < 0.2
            return CancelAll(*self._head(), account_id, draw.choice((0, market_id)), side, forced)
        # A switch that is mostly armed again in time, and sometimes taken back.
        timeout_ms = draw.choice((0, 1, 500, 5_000, 60_000))
        if timeout_ms > 500:
            self.repairs.append(CancelAllAfter(*self._head(), account_id, 0))
        return CancelAllAfter(*self._head(), account_id, timeout_ms)

    def _replace(self) -> AnyCommand:
        """Another order in the place of one, mostly in the same market and on the same side."""
        draw = self.random
        order_id = draw.choice(list(self.live)[-30:])
        account_id, client_order_id, market_id = self.live[order_id]
        if draw.random() < self.hostile / 5:
            account_id = draw.choice(self.accounts)
        terms = self._terms()
        for _ in range(8):
            if (terms.market_id, terms.side) == (market_id, self.sides[order_id]):
                break
            terms = self._terms()
        named = (order_id, "") if draw.random() < 0.7 else (0, client_order_id)
        self.clients += 1
        return Replace(*self._head(), account_id, f"c{self.clients}", terms, *named)

    def _amend(self) -> AnyCommand:
        """Less or more, another price, another stop; by either id, sometimes not the owner."""
        draw = self.random
        partly = [order_id for order_id in self.partly if order_id in self.live]
        order_id = draw.choice((partly if draw.random() < 0.5 else [])[-30:] or [*self.live][-30:])
        account_id, client_order_id, market_id = self.live[order_id]
        if draw.random() < self.hostile / 5:
            account_id = draw.choice(self.accounts)
        named = (order_id, "") if draw.random() < 0.7 else (0, client_order_id)
        side = self.sides[order_id]
        lots = draw.choice((0, 0, 1, draw.randint(1, self.lots), draw.randint(1, 2 * self.lots)))
        price = draw.choice((0, self._price(market_id, side), self._price(market_id)))
        stop = draw.choice((0, 0, 0, self._stop(market_id, side)))
        if draw.random() < 0.5:
            price = stop = 0
        if draw.random() < self.hostile / 5:
            lots, price = draw.choice(((-1, 0), (0, -1), (AMOUNT_MAX, 0), (2**62 + 1, 2**62 + 1)))
        return Amend(*self._head(), account_id, *named, lots, price, stop)

    def _money(self) -> AnyCommand:
        draw = self.random
        account_id = draw.choice(self.accounts)
        asset_id = draw.choice((QUOTE, 10 + draw.choice(self.markets)))
        amount = self.wealth * draw.randint(1, 100_000)
        kind = draw.randrange(6)
        if kind == 0:
            return Deposit(*self._head(60), account_id, asset_id, amount, "again")
        if kind <= 2:
            return Hold(*self._head(60), account_id, asset_id, amount, draw.randrange(40))
        if kind == 3:
            return Settle(*self._head(60), draw.randrange(40))
        if kind == 4:
            return Release(*self._head(60), draw.randrange(40))
        other = draw.choice((*self.accounts, FEE_ACCOUNT_ID, EXTERNAL_ACCOUNT_ID))
        legs = (Leg(account_id, asset_id, -amount), Leg(other, asset_id, amount))
        return Transfer(*self._head(60), legs, "moved")

    def _staff(self) -> AnyCommand:
        """Staff at work. What takes a market, an account or the venue away is soon given back."""
        draw = self.random
        market_id, account_id = draw.choice(self.markets), draw.choice(self.accounts)
        kind = draw.randrange(18)
        if kind >= 12:
            return self._auction(market_id)
        if kind >= 10:
            return self._kill(market_id, account_id)
        if kind <= 1:
            self.repairs.append(SetVenue(*self._head(), OPEN))
            if kind == 0:
                self.repairs.append(Kill(*self._head(), 3))
            return SetVenue(*self._head(), draw.choice((CANCEL_ONLY, HALTED)))
        if kind <= 3:
            state = draw.choice((CANCEL_ONLY, HALTED))
            closed = self._set_market(market_id, state)
            self.repairs.append(self._set_market(market_id, OPEN))
            return closed
        if kind <= 5:
            group = 1 + draw.randrange(self.groups)
            back = SetAccount(*self._head(), account_id, NORMAL, group, self._limits())
            # What is given back twice meets, the first time, an account that keeps its state.
            again = SetAccount(*self._head(), account_id, NORMAL, group, self._limits(), True)
            self.repairs += (back, again)
            state = draw.choice((NORMAL, REDUCE_ONLY, BLOCKED))
            keeps = draw.random() < 0.3
            return SetAccount(*self._head(), account_id, state, group, self._limits(), keeps)
        if kind == 6:
            return self._set_market(market_id, OPEN)
        if kind == 7:
            return SetReference(*self._head(), market_id, self._price(market_id))
        if kind == 8:
            return SetRules(*self._head(), 1)
        return CancelAll(*self._head(), 0, draw.choice((0, market_id)))

    def _auction(self, market_id: int) -> AnyCommand:
        """One is called, or ended early: with a new reference, so that its price may be inside."""
        draw = self.random
        if draw.random() < 0.5:
            steps = draw.choice((0, 0, 1, 2, 5))
            return CallAuction(*self._head(), market_id, draw.choice((1, 5, 60, 600)), steps)
        self.repairs.append(ReopenMarket(*self._head(), market_id))
        return SetReference(*self._head(), market_id, self._price(market_id))

    def _kill(self, market_id: int, account_id: int) -> AnyCommand:
        scope, target_id, back = self.random.choice(
            (
                (1, account_id, SetAccount(*self._head(), account_id, NORMAL, 1, self._limits())),
                (2, market_id, self._set_market(market_id, OPEN)),
                (3, 0, SetVenue(*self._head(), OPEN)),
            )
        )
        self.repairs.append(back)
        return Kill(*self._head(), scope, target_id)

    def _set_market(self, market_id: int, state: int) -> AnyCommand:
        before = self.instruments[market_id]
        after = self._instrument(market_id)
        self.instruments[market_id] = Instrument(
            market_id,
            before.base_asset_id,
            before.quote_asset_id,
            before.lot_minor,
            before.tick_lot_minor,
            after.min_quantity_lots,
            after.max_quantity_lots,
            after.min_notional_minor,
            after.max_notional_minor,
            after.maker_fee_ppm,
            after.taker_fee_ppm,
            after.band_bps,
            state,
            after.max_position_lots,
            before.symbol,
            after.limit_state_seconds,
            after.halt_seconds,
        )
        return SetInstrument(*self._head(), self.instruments[market_id])

    # ------------------------------------------------------------ orders

    def _price(self, market_id: int, side: int = 0) -> int:
        """Near the last price; for a side, two in three on its passive half."""
        draw = self.random
        sign = draw.choice((-1, 1))
        if side and draw.random() < 0.4:
            sign = -1 if side == BUY else 1
        away = draw.randrange(1 + self.spread) * sign
        if draw.random() < 0.03:
            away *= 30
        return self._clustered(self.mid[market_id] + away)

    def _clustered(self, price: int) -> int:
        return max(self.cluster, price - price % self.cluster)

    def _stop(self, market_id: int, side: int, kind: int = STOP) -> int:
        """Mostly on the side from which it is not crossed yet."""
        draw = self.random
        if kind == TRAILING_STOP and draw.random() < 0.6:
            return 0
        away = 1 + draw.randrange(1 + self.spread)
        if draw.random() < 0.15:
            away = -away
        rises = (side == BUY) == (kind in (STOP, STOP_LIMIT))
        return self._clustered(self.mid[market_id] + (away if rises else -away))

    def _place(self, account_id: int) -> Place:
        self.clients += 1
        if self.random.random() < self.links:
            return self.linked_place(account_id)
        return Place(*self._head(), account_id, f"c{self.clients}", self._terms())

    def _collected(self, market_id: int) -> Terms:
        """What an auction takes, often at a price that crosses."""
        draw = self.random
        side, force = draw.choice((BUY, SELL)), draw.choice((GTC, GTC, GTD))
        expires = self.now_ns + draw.randint(1, 40 * SECOND) if force == GTD else 0
        return Terms(
            market_id, side, LIMIT, force, draw.randint(1, self.lots), 0, self._price(market_id),
            0, expires, draw.random() < 0.1,
        )  # fmt: skip

    def _terms(self) -> Terms:
        draw = self.random
        market_id = draw.choice(self.markets)
        if market_id in self.calling and draw.random() < 0.85:
            return self._collected(market_id)
        side = draw.choice((BUY, SELL))
        kind = LIMIT
        if draw.random() < self.stops:
            kind = draw.choice((*WAITING, TRAILING_STOP))
        elif draw.random() < self.takers:
            kind = MARKET
        force = draw.choice(FORCES[kind])
        lots, quote = draw.randint(1, self.lots), 0
        if kind == MARKET and side == BUY and force == IOC and draw.random() < 0.5:
            lots, quote = 0, draw.randint(1, self.lots * self.mid[market_id] * 10)
        stop = self._stop(market_id, side, kind) if kind in WAITING else 0
        price = self._price(market_id, side) if kind in PRICED else 0
        if kind in (STOP_LIMIT, TAKE_PROFIT_LIMIT) and draw.random() < 0.6:
            # Passive when it wakes up: it will rest behind orders that are younger.
            price = max(1, stop - self.cluster if side == BUY else stop + self.cluster)
        expires = self.now_ns + draw.randint(1, 40 * SECOND) if force == GTD else 0
        post_only = kind == LIMIT and force in (GTC, GTD) and draw.random() < 0.15
        self_trade = draw.choice((1, 1, 2, 3, 4)) if lots else draw.choice((1, 2, 3))
        return Terms(
            market_id, side, kind, force, lots, quote, price, stop, expires, post_only, self_trade,
            self._special(kind, lots),
        )  # fmt: skip

    def _special(self, kind: int, lots: int) -> Special | None:
        if kind == LIMIT and lots > 1 and self.random.random() < self.icebergs:
            return Special(display_lots=self.random.randint(-(-lots // 9), lots - 1))
        return self.random.choice(self.trails) if kind == TRAILING_STOP else None

    # ------------------------------------------------------------ malice and mishap

    def _hostile(self) -> AnyCommand:
        draw = self.random
        kind = draw.randrange(8)
        if kind == 0 and self.sent:
            return draw.choice(self.sent[-60:])
        if kind == 1 and self.sent:
            return self._same_id_other_body(draw.choice(self.sent[-60:]))
        if kind == 2:
            return draw.choice(
                (
                    Malformed(*self._head(), b"\xff\x00"),
                    self._poison(),
                    SetRules(*self._head(), 99),
                    Tick(b"", 0),
                )
            )
        if kind == 3:
            return self._nonsense()
        if kind == 4:
            return self._wild_money()
        return self._wild_order()

    def _poison(self) -> AnyCommand:
        self.repairs.append(SetVenue(*self._head(), OPEN))
        block_id = self.random.choice((0, *sorted(self.cut_blocks)))
        return Quarantined(*self._head(), b"\x01", "boom", block_id)

    def _same_id_other_body(self, sent: AnyCommand) -> AnyCommand:
        if isinstance(sent, (Place, OpenBlock)) and self.random.random() < 0.7:
            # The owner's id once more: the same terms, or others.
            terms = self.random.choice((sent.terms, self._terms()))
            own_id = sent.client_order_id + self.random.choice(("", "", *ENDINGS))
            if isinstance(sent, PlacePair):
                stop_terms = self.random.choice((sent.stop_terms, sent.stop_terms, terms))
                return PlacePair(*self._head(), sent.account_id, own_id, sent.terms, stop_terms)
            return Place(*self._head(), sent.account_id, own_id, terms)
        command_id = sent.command_id
        return Cancel(command_id, self.now_ns + SECOND, self.random.choice(self.accounts), 1)

    def _wild_order(self) -> AnyCommand:
        """An honest order with one to three fields replaced by something unlikely."""
        draw = self.random
        names = list(Terms.__struct_fields__)
        base = self._terms()
        fields = {name: getattr(base, name) for name in names}
        for name in draw.sample(names, draw.randint(0, 3)):
            if name == "post_only":
                fields[name] = not fields[name]
            elif name == "special":
                fields[name] = Special(*(draw.choice((0, 0, 1, -1, 2**63)) for _ in range(6)))
            else:
                fields[name] = draw.choice(
                    (0, 1, 2, 3, 4, 5, 7, 9, -1, AMOUNT_MAX, 2**63, self.now_ns)
                )
        account_id = draw.choice((*self.accounts, 1, 2, 77, 0))
        client = draw.choice(("", "é", "a" * 65, "a b", "\x00", f"w{self.issued}"))
        head = draw.choice((self._head(), self._head(-1), self._head(400), self._head(11)))
        if draw.random() < 0.1:
            head = (draw.choice((b"", b"y" * 15, b"y" * 17)), head[1])
        return Place(*head, account_id, client, Terms(**fields))

    def _wild_money(self) -> AnyCommand:
        draw = self.random
        amount = draw.choice((0, -1, 1, AMOUNT_MAX, AMOUNT_MAX + 1, 2**63))
        account_id = draw.choice((*self.accounts, 1, 2, 77))
        asset_id = draw.choice((QUOTE, 0, -3, 2**31))
        text = draw.choice(("", "x" * 201, "\x00"))
        legs = (
            (),
            (Leg(account_id, QUOTE, 5),),
            (Leg(account_id, QUOTE, 5), Leg(1, QUOTE, -4)),
            (Leg(account_id, asset_id, amount), Leg(1, asset_id, -amount)),
            (Leg(account_id, QUOTE, 3),) * 1001,
            (Leg(account_id, QUOTE, -1), Leg(account_id, QUOTE, 1)),
        )
        return draw.choice(
            (
                Deposit(*self._head(), account_id, asset_id, amount, text),
                Deposit(*self._head(), account_id, QUOTE, amount),
                Hold(*self._head(), account_id, asset_id, amount, draw.choice((-1, 5, 2**63))),
                Transfer(*self._head(), draw.choice(legs), draw.choice(("", "", text))),
                Settle(*self._head(), 10**6),
            )
        )

    def _nonsense(self) -> AnyCommand:
        draw = self.random
        market_id = draw.choice(self.markets)
        known = self.instruments[market_id]
        fields = {name: getattr(known, name) for name in Instrument.__struct_fields__}
        name = draw.choice([field for field in fields if field != "symbol"])
        fields[name] = draw.choice((0, -1, 1, 4, 2**31, 2**63))
        instrument = Instrument(**fields)
        account_id = draw.choice((1, 2, 77, self.accounts[0]))
        return draw.choice(
            (
                ListInstrument(*self._head(), instrument),
                SetInstrument(*self._head(), Instrument(**{**fields, "state": known.state})),
                OpenAccount(*self._head(), account_id, 5),
                OpenAccount(*self._head(), draw.choice((0, -5, 2**63)), 5, Limits(-1, 0, 0)),
                OpenAccount(*self._head(), 10**6, 5, Limits(1, 1, 1, False, -1)),
                SetAccount(*self._head(), account_id, draw.choice((0, 1, 4)), 1, Limits()),
                SetVenue(*self._head(), draw.choice((0, 4))),
                SetReference(*self._head(), draw.choice((0, 99, market_id)), -1),
                Cancel(*self._head(), self.accounts[0], draw.choice((0, 10**9)), "none"),
                CancelAll(*self._head(), draw.choice((0, 77)), draw.choice((98, 99))),
                CancelAll(*self._head(), draw.choice((0, 77)), 0, draw.choice((3, -1))),
                CancelAllAfter(*self._head(), account_id, draw.choice((-1, 5, 86_400_001))),
                Kill(*self._head(), draw.choice((0, 1, 2, 3, 4)), draw.choice((1, 2, 77, 99))),
                Cancel(*self._head(400), self.accounts[0], 1),
                CallAuction(*self._head(), draw.choice((99, market_id)), draw.choice((0, 86_401))),
                ReopenMarket(*self._head(), draw.choice((99, market_id))),
            )
        )
