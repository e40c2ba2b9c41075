"""The host asks for the allotment of blocks by itself, piece by piece, and journals each piece."""

from __future__ import annotations

import time

from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    AddLegs,
    BlockClosed,
    BlockLeg,
    CancelAll,
    OpenBlock,
    SubmitBlock,
    Terms,
)
from apps.matching.gateway import new_command_id, valid_until_ns
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, BOB, set_up
from tests.matching.test_host import StartHost, rows

WAIT_SECONDS = 10


def test_a_block_is_allotted_without_anybody_asking(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up(stream_gateway)
    terms = Terms(1, BUY, LIMIT, GTC, 1, price_ticks=1)

    def head() -> tuple[bytes, int]:
        return new_command_id(), valid_until_ns(5)

    stream_gateway.submit_many(
        [
            OpenBlock(*head(), 7, ALICE, "lead", terms),
            AddLegs(*head(), 7, (BlockLeg(BOB, 1),)),
            SubmitBlock(*head(), 7),
        ]
    )
    stream_gateway.submit(CancelAll(*head(), ALICE))

    give_up_at = time.monotonic() + WAIT_SECONDS
    found: list[object] = []
    while not any(isinstance(each, BlockClosed) for each in found):
        assert time.monotonic() < give_up_at, found[-5:]
        found = [e for row in rows() for entry in row.batch().entries for e in entry.events]
        time.sleep(0.05)
