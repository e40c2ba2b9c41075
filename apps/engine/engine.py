"""The deterministic core: state and a command give a new state and events.

No clock, no I/O, no randomness: time comes with each command. A refusal is an event and changes
nothing but the sequence number, time and throttle counters; an exception is a bug.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from apps.engine import snapshot
from apps.engine.blocks import allot, follow
from apps.engine.book import RESTING, Side
from apps.engine.control import cancel, control, quarantine
from apps.engine.entry import place, place_pair, replace
from apps.engine.halts import attend
from apps.engine.messages import (
    Allot,
    AnyCommand,
    AnyEvent,
    Cancel,
    Instrument,
    Malformed,
    Place,
    PlacePair,
    Quarantined,
    Replace,
    Tick,
)
from apps.engine.state import SECOND_NS, State
from apps.engine.timers import wake


class Engine(State):
    """One shard. ``seq``, ``now_ns``, ``rules_version`` and ``venue_state`` may be read."""

    __slots__ = ()

    def apply(self, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        """Carries out one command. Time never runs backwards: an earlier clock is ignored.

        Timers that are due come first, so the command's own answer is what follows their events.
        """
        self.seq += 1
        if now_ns > self.now_ns:
            self.now_ns = now_ns
        events: list[AnyEvent] = []
        if now_ns >= self.due_ns:
            wake(self, events)
        _CARRY_OUT[type(command)](self, command, events)
        if self.blocks:
            follow(self, events)
        if self.matcher.attention:
            attend(self, events)
        return events

    def snapshot(self) -> bytes:
        """The whole state as canonical bytes."""
        return snapshot.dump(self)

    @classmethod
    def restore(cls, data: bytes) -> Engine:
        """An engine that goes on exactly where ``snapshot`` was taken."""
        engine = cls()
        snapshot.load(engine, data)
        return engine

    def state_hash(self) -> str:
        return hashlib.sha256(self.snapshot()).hexdigest()

    # What verification and replicas read.

    @property
    def instruments(self) -> dict[int, Instrument]:
        return {market_id: book.instrument for market_id, book in self.books.items()}

    def phases(self) -> Iterator[tuple[int, int, int]]:
        """(market, phase, until) of each market."""
        for market_id, book in self.books.items():
            yield market_id, book.phase, book.phase_until_ns

    def indications(self) -> Iterator[tuple[int, int, int, int]]:
        """(market, price, lots, surplus) of the auctions to come, as they were told last."""
        for market_id, book in self.books.items():
            yield market_id, *book.indicated

    def reference_ticks(self, market_id: int) -> int:
        """Reference price of the band as of the last command; zero while there is none."""
        return self.books[market_id].reference.ticks(self.now_ns // SECOND_NS)

    def balances(self) -> Iterator[tuple[int, int, int, int]]:
        """(account, asset, available, held) by account and asset; what is absent is zero."""
        for block_id in sorted(self.blocks, reverse=True):
            yield from self.blocks[block_id].escrow.rows()
        yield from self.ledger.rows()

    def open_orders(self) -> Iterator[tuple[int, int, int, int, int, int, int, bool]]:
        """(order, account, market, side, price, remaining lots, hold, resting) by order."""
        for order in self.matcher.orders.values():
            yield (
                order.order_id,
                order.account.account_id,
                order.terms.market_id,
                order.side,
                order.price_ticks,
                order.left_lots,
                order.hold_minor,
                order.place == RESTING,
            )

    def open_legs(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """(order, account, market, side, lots to fill, reserve in escrow) by block and order."""
        for block in self.blocks.values():
            for member in block.members:
                if not member.ended:
                    yield (
                        member.order_id,
                        member.account.account_id,
                        block.terms.market_id,
                        block.terms.side,
                        member.lots - member.given_lots,
                        member.reserve_minor,
                    )

    def next_allotment(self) -> int | None:
        """The block that waits longest for its next ``Allot``, if any does."""
        return next(iter(self.allotting), None)

    def holds(self) -> Iterator[tuple[int, int, int, int]]:
        """(hold, account, asset, amount) of withdrawals that are not settled or released yet."""
        for hold in self.ledger.reserves.values():
            yield hold.hold_id, hold.account_id, hold.asset_id, hold.amount_minor

    def depth(self, market_id: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks as (price, lots), best first."""
        book = self.books[market_id]
        return _levels(book.bids), _levels(book.asks)


def _levels(side: Side) -> list[tuple[int, int]]:
    return [(level.price_ticks, level.lots) for level in side.best_first()]


def _pass_over(state: State, command: AnyCommand, events: list[AnyEvent]) -> None:
    """Time has passed, and that is all."""


# By type, because a chain of tests would cost the commands at its end the most.
_CARRY_OUT: Final[dict[type[AnyCommand], Callable[[State, Any, list[AnyEvent]], None]]] = {
    **dict.fromkeys(get_args(AnyCommand), control),
    Place: place,
    PlacePair: place_pair,
    Replace: replace,
    Cancel: cancel,
    Allot: allot,
    Tick: _pass_over,
    Malformed: _pass_over,
    Quarantined: quarantine,
}
