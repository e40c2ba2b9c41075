"""A random but repeatable flow of commands through a real engine, for what follows its events."""

from __future__ import annotations

import random
from collections import deque

from apps.engine import messages as m
from apps.engine.engine import Engine
from apps.markets.live import Board, Day, Market, Side
from apps.markets.models import Asset, Instrument

START_NS = 1_767_225_600 * 1_000_000_000  # 2026-01-01
ASSETS = {
    1: Asset(id=1, code="USDT", name="Tether", scale=8, display_decimals=2),
    2: Asset(id=2, code="BTC", name="Bitcoin", scale=8, display_decimals=8),
    3: Asset(id=3, code="ETH", name="Ether", scale=8, display_decimals=8),
}
# Market, base, lot_minor, tick_lot_minor: a tick is 0.01 USDT, a lot 0.001 of the base.
MARKETS = {1: (2, 100_000, 1_000), 2: (3, 100_000, 1_000)}
ACCOUNTS = (1000, 1001, 1002)
MIDDLE_TICKS = 10_000


def engine_instrument(market_id: int) -> m.Instrument:
    base, lot_minor, tick_lot_minor = MARKETS[market_id]
    return m.Instrument(
        market_id, base, 1, lot_minor, tick_lot_minor, 1, 10**9, 0, 10**15, 800, 1000, 5000,
        symbol=f"{ASSETS[base].code}-USDT",
    )  # fmt: skip


def instrument(market_id: int) -> Instrument:
    base, lot_minor, tick_lot_minor = MARKETS[market_id]
    return Instrument(
        id=market_id, symbol=f"{ASSETS[base].code}-USDT", base=ASSETS[base], quote=ASSETS[1],
        tick_size_minor=tick_lot_minor * 10**8 // lot_minor, lot_minor=lot_minor,
        tick_lot_minor=tick_lot_minor,
    )  # fmt: skip


class Flow:
    """An engine and somebody who sends it all kinds of commands."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = Engine()
        self.at_ns = START_NS
        self._commands = 0
        for market_id in MARKETS:
            self.apply(m.ListInstrument(*self._head(), engine_instrument(market_id)))
        for account in ACCOUNTS:
            self.apply(m.OpenAccount(*self._head(), account, account))
            for asset in ASSETS:
                self.apply(m.Deposit(*self._head(), account, asset, 10**15))

    def apply(self, command: m.AnyCommand) -> tuple[int, int, list[m.AnyEvent]]:
        events = self.engine.apply(command, self.at_ns)
        return self.engine.seq, self.engine.now_ns, events

    def step(self) -> tuple[int, int, list[m.AnyEvent]]:
        """Let a little time pass, and send something."""
        self.at_ns += self.random.randrange(1, 5_000_000_000)
        account = self.random.choice(ACCOUNTS)
        kind = self.random.random()
        if kind < 0.75:
            return self.apply(self._place(account))
        if kind < 0.95:
            open_orders = [order[0] for order in self.engine.open_orders() if order[1] == account]
            order_id = self.random.choice(open_orders) if open_orders else 1
            if kind < 0.85:
                return self.apply(m.Cancel(*self._head(), account, order_id))
            lots, price = self.random.randrange(50), self.random.choice((0, self._price()))
            return self.apply(m.Amend(*self._head(), account, order_id, "", lots, price))
        if kind < 0.96:
            market_id = self.random.choice(list(MARKETS))
            return self.apply(m.CallAuction(*self._head(), market_id, 60))
        if kind < 0.98:
            return self.apply(m.Tick(*self._head()))
        return self.apply(m.CancelAll(*self._head(), account))

    def _place(self, account: int) -> m.Place:
        pick = self.random
        order_type = pick.choice([m.LIMIT] * 6 + [m.MARKET, m.STOP, m.STOP_LIMIT])
        in_force = m.IOC if order_type in {m.MARKET, m.STOP} else m.GTC
        if order_type == m.LIMIT:
            in_force = pick.choice([m.GTC] * 5 + [m.IOC, m.FOK, m.GTD])
        lots = pick.randrange(2, 50)
        hides = order_type == m.LIMIT and in_force in (m.GTC, m.GTD) and pick.random() < 0.2
        terms = m.Terms(
            market_id=pick.choice(list(MARKETS)),
            side=pick.choice([m.BUY, m.SELL]),
            order_type=order_type,
            time_in_force=in_force,
            quantity_lots=lots,
            price_ticks=self._price() if order_type in {m.LIMIT, m.STOP_LIMIT} else 0,
            stop_ticks=self._price() if order_type in {m.STOP, m.STOP_LIMIT} else 0,
            expires_at_ns=self.at_ns + 30 * 10**9 if in_force == m.GTD else 0,
            post_only=order_type == m.LIMIT and in_force == m.GTC and pick.random() < 0.2,
            self_trade=pick.choice((m.EXPIRE_TAKER, m.DECREMENT)),
            special=m.Special(display_lots=(lots + 1) // 2) if hides else None,
        )
        return m.Place(*self._head(), account, f"c{self._commands}", terms)

    def _price(self) -> int:
        return MIDDLE_TICKS + round(self.random.gauss(0, 12))

    def _head(self) -> tuple[bytes, int]:
        self._commands += 1
        return self._commands.to_bytes(16, "big"), self.at_ns + 5_000_000_000


def board_of(flow: Flow) -> Board:
    """A board that begins with the engine's present books and no history of trades."""
    markets = {}
    for market_id in MARKETS:
        bids, asks = flow.engine.depth(market_id)
        markets[market_id] = Market(
            instrument(market_id), Side(bids, is_bid=True), Side(asks, is_bid=False),
            Day({}, None), deque(maxlen=50), phase=flow.engine.books[market_id].phase,
            indicated=flow.engine.books[market_id].indicated,
        )  # fmt: skip
    return Board(markets, book_seq=flow.engine.seq, trade_seq=flow.engine.seq)
