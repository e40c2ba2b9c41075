"""The host asks for the allotment of blocks by itself, piece by piece, and journals each piece."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.engine import escrow
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    AddLegs,
    AnyEvent,
    BlockClosed,
    BlockLeg,
    OpenBlock,
    Quarantined,
    SubmitBlock,
    Terms,
)
from apps.matching import actions, queries
from apps.matching.gateway import new_command_id, valid_until_ns
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, BOB, deposit, open_account, place, set_up
from tests.matching.test_host import StartHost
from tests.matching.watching import commands_of, eventually, rows

CARL = 1003


def a_block(gateway: StreamGateway, block_id: int) -> list[AnyEvent]:
    """A block of two that buys one lot each, and somebody who sells them what they want."""
    terms = Terms(1, BUY, LIMIT, GTC, 1, price_ticks=6_000_000)

    def head() -> tuple[bytes, int]:
        return new_command_id(), valid_until_ns(5)

    replies = gateway.submit_many(
        [
            OpenBlock(*head(), block_id, ALICE, f"lead-{block_id}", terms),
            AddLegs(*head(), block_id, (BlockLeg(BOB, 1),)),
            SubmitBlock(*head(), block_id),
            place(CARL, f"sold-{block_id}", side=SELL, lots=2),
        ]
    )
    return [event for reply in replies for event in reply.events]


def set_up_three(gateway: StreamGateway) -> None:
    set_up(gateway)
    gateway.submit_many([open_account(CARL), deposit(CARL, 2, 10**9)])


def is_closed(block_id: int) -> bool:
    events = (e for row in rows() for entry in row.batch().entries for e in entry.events)
    return any(isinstance(e, BlockClosed) and e.block_id == block_id for e in events)


def test_a_block_is_allotted_without_anybody_asking(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up_three(stream_gateway)

    a_block(stream_gateway, 7)

    eventually(lambda: is_closed(7))


def test_a_block_that_cannot_be_allotted_stops_neither_the_host_nor_other_blocks(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_host()
    set_up_three(stream_gateway)
    allot, tried, said = escrow.Block.allot, [], io.StringIO()

    def poisoned(block: escrow.Block, *args: Any) -> int:
        if block.block_id == 7:
            tried.append(block.block_id)
            raise ZeroDivisionError("a bug")
        return allot(block, *args)

    monkeypatch.setattr(escrow.Block, "allot", poisoned)
    a_block(stream_gateway, 7)
    eventually(lambda: "Block 7 waits" in queries.engine_health()["alarm"])
    actions.set_venue(state="open")
    a_block(stream_gateway, 8)
    eventually(lambda: is_closed(8))

    # Tried twice, and then not once more.
    assert tried == [7, 7]
    (kept,) = [c for row in rows() for c in commands_of(row) if isinstance(c, Quarantined)]
    assert (kept.block_id, is_closed(7), running.error) == (7, False, None)

    monkeypatch.undo()
    call_command("allot", "7", stdout=said)
    eventually(lambda: is_closed(7))
    assert "goes on with block 7" in said.getvalue()
    with pytest.raises(CommandError, match="nothing to allot"):
        call_command("allot", "7")
