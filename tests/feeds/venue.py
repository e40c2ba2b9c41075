"""A real engine behind the part of a gateway that the desk uses, without a database.

It keeps the tape, and it can fail in the ways in which a real gateway fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from apps.core.errors import Unavailable
from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    OPEN,
    SELL,
    AnyCommand,
    AnyEvent,
    Deposit,
    Instrument,
    ListInstrument,
    OpenAccount,
    Place,
    Terms,
    Trade,
)
from apps.matching.gateway import Reply, new_command_id, outcome_unknown, valid_until_ns
from apps.trades.liquidity.desk import Desk, HouseMarket
from apps.trades.liquidity.rules import SizeLimits
from apps.wallets.actions import HOUSE_LIMITS, MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID

USDT, BTC = 1, 2
MINOR: Final = 10**8
PERSON: Final = 1000
TOP_UPS: Final = {USDT: 10**8 * MINOR, BTC: 10**4 * MINOR}

BTC_USDT: Final = Instrument(
    market_id=1,
    base_asset_id=BTC,
    quote_asset_id=USDT,
    lot_minor=1_000,
    tick_lot_minor=10,
    min_quantity_lots=1,
    max_quantity_lots=100_000_000,
    min_notional_minor=5 * MINOR,
    max_notional_minor=20_000_000 * MINOR,
    maker_fee_ppm=800,
    taker_fee_ppm=1_000,
    band_bps=1_000,
    state=OPEN,
    symbol="BTC-USDT",
)


class Venue:
    """One engine with one market, the house and one person."""

    def __init__(self, instrument: Instrument = BTC_USDT, funded: bool = True) -> None:
        self._lock = threading.RLock()
        self.engine = Engine()
        self.instrument = instrument
        self.tape: list[Trade] = []
        self.commands: list[AnyCommand] = []
        self.events: list[AnyEvent] = []
        self.failures: list[Unavailable] = []
        self.lost_answers = 0
        self._apply([
            ListInstrument(*head(), instrument),
            OpenAccount(*head(), MAKER_ACCOUNT_ID, -10, HOUSE_LIMITS),
            OpenAccount(*head(), TAKER_ACCOUNT_ID, -11, HOUSE_LIMITS),
            OpenAccount(*head(), PERSON, 7, HOUSE_LIMITS),
        ])  # fmt: skip
        accounts = (MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID, PERSON) if funded else (PERSON,)
        for account_id in accounts:
            for asset_id, amount in TOP_UPS.items():
                self._apply([Deposit(*head(), account_id, asset_id, amount, "test")])

    def submit_many(
        self, commands: Sequence[AnyCommand], timeout_seconds: float = 2.0
    ) -> list[Reply]:
        if self.failures:
            raise self.failures.pop(0)
        self.commands.extend(commands)
        replies = self._apply(commands)
        if self.lost_answers:
            self.lost_answers -= 1
            raise outcome_unknown(commands)
        return replies

    def order(self, side: int, price_ticks: int, lots: int, time_in_force: int = GTC) -> Reply:
        """Let the person place a limit order, past the desk."""
        terms = Terms(1, side, LIMIT, time_in_force, lots, 0, price_ticks)
        command = Place(*head(), PERSON, new_command_id().hex(), terms)
        return self._apply([command])[0]

    def control(self, command: AnyCommand) -> Reply:
        return self._apply([command])[0]

    def depth(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        with self._lock:
            return self.engine.depth(1)

    def house_quotes(self) -> dict[int, dict[int, int]]:
        """Return what the market maker has on the book, lots by price and side."""
        sides: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        for _, account_id, _, side, price, lots, _, _ in self.engine.open_orders():
            if account_id == MAKER_ACCOUNT_ID:
                assert price not in sides[side]
                sides[side][price] = lots
        return sides

    def new_events(self) -> list[AnyEvent]:
        """Return what has happened since the last call, as the watcher would hand it over."""
        events, self.events = self.events, []
        return events

    def _apply(self, commands: Sequence[AnyCommand]) -> list[Reply]:
        now_ns = time.time_ns()
        replies = []
        with self._lock:
            for command in commands:
                events = tuple(self.engine.apply(command, now_ns))
                self.tape.extend(event for event in events if isinstance(event, Trade))
                self.events.extend(events)
                replies.append(Reply(self.engine.seq, now_ns, events))
        return replies


def head() -> tuple[bytes, int]:
    return new_command_id(), valid_until_ns(5)


def size_limits(instrument: Instrument) -> SizeLimits:
    return SizeLimits(
        instrument.max_quantity_lots, instrument.max_notional_minor, instrument.tick_lot_minor
    )


def desk_at(venue: Venue, **arguments: object) -> Desk:
    """Return a desk of the house at the venue, started."""
    market = HouseMarket(1, "BTC-USDT", BTC, USDT, size_limits(venue.instrument))
    desk = Desk(venue, [market], TOP_UPS, **arguments)  # type: ignore[arg-type]
    desk.restart()
    return desk
