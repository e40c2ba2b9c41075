"""What a scenario can say of blocks: opened, joined, submitted, allotted and left, in words."""

from __future__ import annotations

import re

from apps.engine.messages import (
    BUY,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    AddLegs,
    Allot,
    Allotted,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    BlockLeg,
    LegReleased,
    LegsAdded,
    LegsReleased,
    OpenBlock,
    RemoveLegs,
    SliceCut,
    SubmitBlock,
    Terms,
)
from tests.engine.venue import MARKET_ID, Venue

BLOCK_ID = 1
PPM_OF_PERCENT = 10_000
# Words of the language that look like names.
WORDS = (
    ("opens", "block", "join", "joins", "submitted", "allotted", "slice", "is", "a", "leaves")
    + ("due", "all")
)  # fmt: skip
_SIDES = {"buys": BUY, "sells": SELL}


def act(venue: Venue, line: str) -> list[AnyEvent] | None:
    """What a line does about the block; None if it is about something else."""
    opens = re.fullmatch(r"(\S+) opens a block: (buys|sells) (\d+)(%?)(?: @ (\d+))?", line)
    if opens:
        price = int(opens[5] or 0)
        kind, force = (LIMIT, GTC) if price else (MARKET, IOC)
        lots, part = _size(opens[3], opens[4])
        terms = Terms(MARKET_ID, _SIDES[opens[2]], kind, force, lots, price_ticks=price)
        return venue.do(OpenBlock, BLOCK_ID, venue.ids[opens[1]], "lead", terms, part)
    joins = re.fullmatch(r"(.+) joins?", line)
    if joins:
        return venue.do(AddLegs, BLOCK_ID, tuple(_leg(venue, each) for each in joins[1].split(",")))
    if line == "block is submitted":
        return venue.do(SubmitBlock, BLOCK_ID)
    leaves = re.fullmatch(r"(\S+) leaves the block", line)
    if leaves:
        return venue.do(RemoveLegs, BLOCK_ID, (venue.ids[leaves[1]],))
    if line == "all is allotted":
        found: list[AnyEvent] = []
        while venue.engine.next_allotment() is not None:
            found += venue.do(Allot, BLOCK_ID)
        return found
    return None


def _leg(venue: Venue, words: str) -> BlockLeg:
    match = re.fullmatch(r"(\S+) (\d+)(%?)", words.strip())
    assert match, words
    return BlockLeg(venue.ids[match[1]], *_size(match[2], match[3]))


def _size(number: str, percent: str) -> tuple[int, int]:
    return (0, int(number) * PPM_OF_PERCENT) if percent else (int(number), 0)


def in_words(venue: Venue, event: AnyEvent) -> list[str]:
    match event:
        case LegsAdded():
            joined = [
                f"{venue.name(leg.account_id)} is in with {leg.lots}, reserves {leg.hold_minor}"
                for leg in event.legs
            ]
            out = [(venue.name(each.account_id), each.reason) for each in event.left_out]
            return joined + [f"{name} is left out: {reason}" for name, reason in out]
        case SliceCut():
            return [f"slice {event.lots} for {event.quote_minor}"]
        case Allotted():
            return [
                f"{venue.name(fill.account_id)} gets {fill.lots} for {fill.quote_minor}"
                for fill in event.fills
            ]
        case LegsReleased():
            return [_out(venue, leg) for leg in event.legs]
        case BlockEnded():
            return [f"block ended: {event.reason}"]
        case BlockClosed():
            return ["block closed"]
        case _:
            return []


def _out(venue: Venue, leg: LegReleased) -> str:
    owed = f", {leg.owed_lots} owed" if leg.owed_lots else ""
    name = venue.name(leg.account_id)
    return f"{name} is out: {leg.reason}, {leg.released_minor} back{owed}"
