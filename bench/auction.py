"""The end of an auction of hostile books: how long the longest command of it takes.

So many limit orders a side, every bid above every ask: of one trade group, so that nobody may
trade; of many accounts that each stand on both sides; and of icebergs. Each command counts with
its decoding and encoding, in processor time, as in ``copy``; none of them waits for anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    CallAuction,
    Limits,
    PhaseChanged,
    Place,
    ReopenMarket,
    SetAccount,
    Special,
    Terms,
    Tick,
)
from bench.copy import FIRST_ACCOUNT_ID, MARKET_ID, PRICE_TICKS, STEP_NS, Venue
from bench.report import Result

ORDERS = 20_000
ACCOUNTS = 2_000
SPREAD_TICKS = 5_000
STEP_COMMANDS = 1_100  # as many as make up for the pause between two steps
LONGEST_MS = 5.0


def run() -> Iterator[Result]:
    kinds = (("of one group", True, 0), ("of 2,000 groups", False, 0), ("of icebergs", False, 1))
    for name, one_group, shown in kinds:
        venue = _called(one_group=one_group, shown=shown)
        _hurry(venue, 101)
        venue.longest_ms = 0.0
        venue.send(Tick(*venue.head()))
        yield Result("auction", f"{name}: telling what would trade", venue.longest_ms, "ms")
        steps = _reopen(venue)
        bar = LONGEST_MS if one_group else None
        longest = Result(
            "auction", f"{name}: longest command", venue.longest_ms, "ms", bar, "lower"
        )
        yield longest
        yield Result("auction", f"{name}: steps", steps, "")
        yield Result("auction", f"{name}: in all", venue.cpu_seconds, "s")


def _called(*, one_group: bool, shown: int) -> Venue:
    venue = Venue(ACCOUNTS)
    if one_group:
        for account_id in range(FIRST_ACCOUNT_ID, FIRST_ACCOUNT_ID + ACCOUNTS):
            limits = Limits(0, 0, 0)
            venue.send(SetAccount(*venue.head(), account_id, 1, 7, limits))
    venue.send(CallAuction(*venue.head(), MARKET_ID, 24 * 3600))
    draw = random.Random(1)
    special = Special(display_lots=shown) if shown else None
    for number in range(ORDERS):
        for side, low in ((BUY, PRICE_TICKS), (SELL, PRICE_TICKS - SPREAD_TICKS)):
            lots = 50 if shown else 1 + number % 7
            price = low + draw.randrange(SPREAD_TICKS)
            terms = Terms(MARKET_ID, side, LIMIT, GTC, lots, price_ticks=price, special=special)
            account_id = FIRST_ACCOUNT_ID + (number + side) % ACCOUNTS
            venue.send(Place(*venue.head(), account_id, f"{side}-{number}", terms))
    return venue


def _hurry(venue: Venue, seconds: int) -> None:
    venue.issued += seconds * 1_000_000_000 // STEP_NS


def _reopen(venue: Venue) -> int:
    venue.longest_ms = venue.cpu_seconds = 0.0
    events = venue.send(ReopenMarket(*venue.head(), MARKET_ID))
    steps = 1
    while not any(isinstance(event, PhaseChanged) for event in events):
        venue.issued += STEP_COMMANDS
        events = venue.send(Tick(*venue.head()))
        steps += 1
    return steps
