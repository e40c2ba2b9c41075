"""The order flow on which engines are compared: one market, 2,000 price ticks, no self-trades.

300,000 operations, always the same: 165,511 passive limit orders about a random-walking mid, denser
near the touch; 104,722 cancels of live orders; 29,767 limit orders that take and rest what is left.
A thousand accounts; half of them only buy, half only sell.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    AnyCommand,
    Cancel,
    Deposit,
    Instrument,
    Limits,
    ListInstrument,
    OpenAccount,
    Place,
    Rested,
    SetReference,
    Terms,
    Trade,
)

SEED = 20240607
OPERATIONS = {"passive": 165_511, "cancel": 104_722, "take": 29_767}
ACCOUNTS = 1_000
FIRST_ACCOUNT_ID = 1_000
BASE, QUOTE, MARKET_ID = 2, 1, 1
START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000
MID_TICKS = 100_000
PLENTY_MINOR = 10**15

Kind = Literal["passive", "cancel", "take"]


class Operation(NamedTuple):
    """``key`` numbers the orders from 1; a cancel names the order that it ends."""

    kind: Kind
    key: int
    account_id: int
    side: int
    price_ticks: int
    quantity_lots: int


@dataclass(frozen=True)
class Flow:
    operations: list[Operation]
    peak_orders: int


class Commands:
    """Gives every command a fresh id and a validity that lasts."""

    def __init__(self) -> None:
        self._issued = 0

    def head(self) -> tuple[bytes, int]:
        self._issued += 1
        now_ns = START_NS + self._issued * STEP_NS
        return self._issued.to_bytes(16, "big"), now_ns + 5_000_000_000

    def operation(self, operation: Operation) -> AnyCommand:
        command_id, valid_until_ns = self.head()
        if operation.kind == "cancel":
            return Cancel(command_id, valid_until_ns, operation.account_id, operation.key)
        return Place(
            command_id,
            valid_until_ns,
            operation.account_id,
            f"flow-{operation.key}",
            Terms(
                MARKET_ID,
                operation.side,
                LIMIT,
                GTC,
                operation.quantity_lots,
                price_ticks=operation.price_ticks,
            ),
        )

    def opening(self) -> list[AnyCommand]:
        """The market, its accounts and their funds. Every limit is on, and wide enough."""
        limits = Limits(
            max_open_orders=500, orders_per_second=1_000, repeated_orders_per_second=100
        )
        listed = Instrument(
            MARKET_ID, BASE, QUOTE, 1_000, 10, 1, 10**9, 1, 10**15, 800, 1_000, 1_000
        )
        found: list[AnyCommand] = [
            ListInstrument(*self.head(), listed),
            SetReference(*self.head(), MARKET_ID, MID_TICKS),
        ]
        for account_id in range(FIRST_ACCOUNT_ID, FIRST_ACCOUNT_ID + ACCOUNTS):
            found.append(OpenAccount(*self.head(), account_id, account_id, limits))
            for asset_id in (BASE, QUOTE):
                found.append(Deposit(*self.head(), account_id, asset_id, PLENTY_MINOR))
        return found


def now_ns(number: int) -> int:
    """Journaled time of the command with this number, counted from 1."""
    return START_NS + number * STEP_NS


def generate(scale: float = 1.0) -> Flow:
    """The same operations on every machine; ``scale`` makes them fewer, for tests."""
    return _Generator(scale).run()


class _Generator:
    """Draws operations, and follows them with an engine to know which orders live."""

    def __init__(self, scale: float) -> None:
        self.random = random.Random(SEED)
        self.kinds: list[Kind] = []
        kind: Kind
        for kind, count in OPERATIONS.items():  # type: ignore[assignment]
            self.kinds += [kind] * round(count * scale)
        self.random.shuffle(self.kinds)
        self.engine = Engine()
        self.commands = Commands()
        self.live: list[int] = []
        self.place_of: dict[int, int] = {}
        self.owner: dict[int, int] = {}
        self.mid = MID_TICKS
        self.keys = 0
        self.peak = 0

    def run(self) -> Flow:
        for command in self.commands.opening():
            self._apply(command)
        operations = []
        for number, kind in enumerate(self.kinds):
            if kind != "passive" and not self._both_sides_have_orders():
                # Too early for it: it changes places with the next that adds.
                other = self.kinds.index("passive", number)
                self.kinds[other], kind = kind, "passive"
            if self.random.random() < 0.02:
                self.mid += self.random.choice((-1, 1))
            operation = self._cancel() if kind == "cancel" else self._add(kind)
            operations.append(operation)
            self._follow(operation)
            self.peak = max(self.peak, len(self.live))
        return Flow(operations, self.peak)

    def _add(self, kind: Kind) -> Operation:
        draw = self.random
        self.keys += 1
        side = draw.choice((BUY, SELL))
        half = ACCOUNTS // 2
        account_id = FIRST_ACCOUNT_ID + draw.randrange(half) + (0 if side == BUY else half)
        sign = 1 if side == BUY else -1
        book = self.engine.books[MARKET_ID]
        best_ask, best_bid = book.asks.best_ticks(), book.bids.best_ticks()
        opposite = best_ask if side == BUY else best_bid
        if kind == "take":
            price = opposite + sign * draw.randrange(4)
            return Operation("take", self.keys, account_id, side, price, draw.randint(1, 85))
        price = self.mid - sign * (1 + min(49, int(draw.expovariate(1 / 12))))
        if opposite and (price - opposite) * sign >= 0:
            price = opposite - sign
        return Operation("passive", self.keys, account_id, side, price, draw.randint(1, 40))

    def _both_sides_have_orders(self) -> bool:
        book = self.engine.books[MARKET_ID]
        return bool(book.bids.keys and book.asks.keys)

    def _cancel(self) -> Operation:
        key = self.live[self.random.randrange(len(self.live))]
        return Operation("cancel", key, self.owner[key], 0, 0, 0)

    def _follow(self, operation: Operation) -> None:
        if operation.kind == "cancel":
            self._drop(operation.key)
        else:
            self.owner[operation.key] = operation.account_id
        for event in self._apply(self.commands.operation(operation)):
            if isinstance(event, Rested):
                self.place_of[event.order_id] = len(self.live)
                self.live.append(event.order_id)
            elif isinstance(event, Trade) and not event.maker_remaining_lots:
                self._drop(event.maker_order_id)

    def _drop(self, key: int) -> None:
        place = self.place_of.pop(key)
        last = self.live.pop()
        if last != key:
            self.live[place] = last
            self.place_of[last] = place

    def _apply(self, command: AnyCommand) -> list[object]:
        return list(self.engine.apply(command, now_ns(self.engine.seq + 1)))
