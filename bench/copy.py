"""One block of many accounts, from its opening to its closing: bytes in, bytes out.

Three figures for ten thousand legs, one of them the longest single command: while a block comes
together, fills and is allotted, no other order waits longer than that. Beside it what a resting
block costs those who hit it lot by lot. Processor time, best of some rounds, as in ``engine``.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    AddLegs,
    Allot,
    AnyCommand,
    AnyEvent,
    BlockClosed,
    BlockLeg,
    Deposit,
    Instrument,
    LegsAdded,
    Limits,
    ListInstrument,
    OpenAccount,
    OpenBlock,
    Place,
    SetReference,
    SubmitBlock,
    Terms,
    Trade,
)
from bench.report import Result

LEGS = 10_000
LEGS_PER_COMMAND = 500
MAKERS = 50
HITS = 20_000
ROUNDS = 3
BASE, QUOTE, MARKET_ID = 2, 1, 1
FIRST_ACCOUNT_ID = 1_000
START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000
PRICE_TICKS = 100_000
PLENTY_MINOR = 10**14

_encoder = msgspec.msgpack.Encoder()
_one = msgspec.msgpack.Decoder(AnyCommand)


class Venue:
    """An engine that is fed encoded commands, one at a time, and what each of them took."""

    def __init__(self, legs: int) -> None:
        self.engine = Engine()
        self.issued = 0
        self.cpu_seconds = 0.0
        self.longest_ms = 0.0
        self.events: list[AnyEvent] = []
        market = Instrument(MARKET_ID, BASE, QUOTE, 1_000, 10, 1, 0, 0, 0, 800, 1_000, 1_000)
        self.send(ListInstrument(*self.head(), market))
        for account_id in range(FIRST_ACCOUNT_ID, FIRST_ACCOUNT_ID + legs + MAKERS + 1):
            self.send(OpenAccount(*self.head(), account_id, account_id, Limits(0, 0, 0)))
            for asset_id in (BASE, QUOTE):
                self.send(Deposit(*self.head(), account_id, asset_id, PLENTY_MINOR))
        self.send(SetReference(*self.head(), MARKET_ID, PRICE_TICKS))
        self.cpu_seconds = self.longest_ms = 0.0
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000_000_000)

    def head(self) -> tuple[bytes, int]:
        self.issued += 1
        return self.issued.to_bytes(16, "big"), START_NS + self.issued * STEP_NS + 5_000_000_000

    def send(self, command: AnyCommand) -> list[AnyEvent]:
        data = _encoder.encode(command)
        now_ns = START_NS + self.issued * STEP_NS
        start = time.process_time()
        events = self.engine.apply(_one.decode(data), now_ns)
        _encoder.encode(events)
        taken = time.process_time() - start
        self.cpu_seconds += taken
        self.longest_ms = max(self.longest_ms, taken * 1_000)
        return events

    def place(self, account_id: int, side: int, lots: int, price_ticks: int) -> list[AnyEvent]:
        terms = Terms(MARKET_ID, side, LIMIT, GTC, lots, price_ticks=price_ticks)
        return self.send(Place(*self.head(), account_id, f"o{self.issued}", terms))

    def open_block(self, legs: int) -> int:
        """A buy of 1 to 99 lots a leg; returns its lots in all."""
        terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 50, price_ticks=PRICE_TICKS)
        self.send(OpenBlock(*self.head(), 1, FIRST_ACCOUNT_ID, "lead", terms))
        lots = 50
        for first in range(1, legs, LEGS_PER_COMMAND):
            numbers = range(first, min(legs, first + LEGS_PER_COMMAND))
            found = tuple(
                BlockLeg(FIRST_ACCOUNT_ID + number, 1 + number * 37 % 99) for number in numbers
            )
            (event,) = self.send(AddLegs(*self.head(), 1, found))
            if isinstance(event, LegsAdded):
                lots += sum(leg.lots for leg in event.legs)
        return lots

    def allot(self) -> int:
        """All that there is to allot; returns in how many commands."""
        count = 0
        while (block_id := self.engine.next_allotment()) is not None:
            self.events = self.send(Allot(b"", 0, block_id))
            count += 1
        return count


def run(scale: float = 1.0) -> Iterator[Result]:
    legs = max(2, int(LEGS * scale))
    rounds = [_whole_block(legs) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda found: found[0])
    yield Result("copy", "legs", legs, "legs")
    yield Result("copy", "accepted, filled and allotted", best[0], "ms", 300 * scale, "lower")
    yield Result("copy", "of that: allotted", best[1], "ms")
    longest = min(found[2] for found in rounds)
    yield Result("copy", "longest single command", longest, "ms", 5.0, "lower")
    hits = max(10, int(HITS * scale))
    yield Result("copy", "one lot against a resting block", _hit(hits, legs), "µs")
    yield Result("copy", "one lot against a resting order", _hit(hits, 1), "µs")


def _whole_block(legs: int) -> tuple[float, float, float]:
    venue = Venue(legs)
    offered = legs * 40
    for number in range(MAKERS):
        lots = offered // MAKERS
        venue.place(FIRST_ACCOUNT_ID + legs + number, SELL, lots, PRICE_TICKS - 1 - number % 7)
    venue.cpu_seconds = venue.longest_ms = 0.0
    lots = venue.open_block(legs)
    venue.send(SubmitBlock(*venue.head(), 1))
    # What is not there yet comes from one who sells the rest to the resting block.
    for row in list(venue.engine.open_orders()):
        if row[1] == -1:
            venue.place(FIRST_ACCOUNT_ID + legs + MAKERS, SELL, row[5], PRICE_TICKS)
    accepted_seconds = venue.cpu_seconds
    venue.allot()
    if not isinstance(venue.events[-1], BlockClosed) or not lots:
        raise AssertionError("the block should be filled, allotted and closed")
    gc.unfreeze()
    return (
        venue.cpu_seconds * 1_000,
        (venue.cpu_seconds - accepted_seconds) * 1_000,
        venue.longest_ms,
    )


def _hit(hits: int, legs: int) -> float:
    """Microseconds for an order of one lot that trades with what rests."""
    venue = Venue(legs)
    if legs > 1:
        venue.open_block(legs)
        venue.send(SubmitBlock(*venue.head(), 1))
    else:
        venue.place(FIRST_ACCOUNT_ID, BUY, hits, PRICE_TICKS)
    venue.cpu_seconds = 0.0
    for _ in range(hits):
        events = venue.place(FIRST_ACCOUNT_ID + legs, SELL, 1, PRICE_TICKS)
        if not any(isinstance(event, Trade) for event in events):
            raise AssertionError("every lot should trade")
    gc.unfreeze()
    return venue.cpu_seconds / hits * 1_000_000
