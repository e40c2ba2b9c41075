"""What happened to blocks, written down for the apps that own them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from apps.engine.messages import (
    Allotted,
    BlockClosed,
    BlockEnded,
    LegsAdded,
    LegsReleased,
)

# Events of one command have their numbers below this; a command makes a handful at most.
EVENT_BITS: Final = 16

_INSERT: Final = """
    INSERT INTO trades_blockevent (id, block_id, what, reason, legs, at)
    SELECT id, block_id, what, reason, legs, timestamptz 'epoch' + micros * interval '1 microsecond'
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::jsonb[], %s::bigint[])
        AS event (id, block_id, what, reason, legs, micros)
"""

# id, block, what, reason, legs as JSON, moment in microseconds.
Row = tuple[int, int, str, str, str, int]
_Legs = list[tuple[object, ...]]


class BlockRows:
    """Rows of a batch, in the order in which things happened."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._number = 0
        self._seq = 0

    def add(self, event: LegsAdded, seq: int, at_ns: int) -> None:
        if event.legs:
            legs: _Legs = [(leg.account_id, leg.order_id, leg.lots) for leg in event.legs]
            self._note(event.block_id, "joined", "", legs, seq, at_ns)
        if event.left_out:
            left: _Legs = [(each.account_id, 0, 0, 0, 0, each.reason) for each in event.left_out]
            self._note(event.block_id, "left_out", "", left, seq, at_ns)

    def allot(self, event: Allotted, seq: int, at_ns: int) -> None:
        legs: _Legs = [
            (fill.account_id, fill.order_id, fill.lots, fill.quote_minor, fill.fee_minor)
            for fill in event.fills
        ]
        self._note(event.block_id, "allotted", "", legs, seq, at_ns)

    def release(self, event: LegsReleased, seq: int, at_ns: int) -> None:
        legs: _Legs = [
            (leg.account_id, leg.order_id, leg.owed_lots, 0, 0, leg.reason) for leg in event.legs
        ]
        self._note(event.block_id, "left", "", legs, seq, at_ns)

    def end(self, event: BlockEnded, seq: int, at_ns: int) -> None:
        self._note(event.block_id, "ended", event.reason, [], seq, at_ns)

    def close(self, event: BlockClosed, seq: int, at_ns: int) -> None:
        self._note(event.block_id, "closed", "", [], seq, at_ns)

    def _note(
        self, block_id: int, what: str, reason: str, legs: _Legs, seq: int, at_ns: int
    ) -> None:
        self._number = self._number + 1 if seq == self._seq else 0
        self._seq = seq
        number = (seq << EVENT_BITS) + self._number
        self.rows.append((number, block_id, what, reason, json.dumps(legs), at_ns // 1_000))


def write(cursor: Any, rows: Iterable[Row]) -> None:
    """Write the rows; there are few of them."""
    found = list(rows)
    if found:
        cursor.execute(_INSERT, [[row[column] for row in found] for column in range(6)])
