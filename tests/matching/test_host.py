"""The host against real PostgreSQL and Valkey."""

from __future__ import annotations

from collections.abc import Callable

from apps.engine.messages import SELL, Accepted, Rested, Trade
from apps.matching.models import JournalRow
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, BOB, place, set_up
from tests.matching.conftest import RunningHost


def test_acknowledged_means_committed(
    start_host: Callable[[], RunningHost], stream_gateway: StreamGateway
) -> None:
    start_host()
    replies = set_up(stream_gateway)
    assert [reply.seq for reply in replies] == list(range(1, 8))

    reply = stream_gateway.submit(place(ALICE, "a-1"))

    assert reply.seq == 8
    assert [type(event) for event in reply.events] == [Accepted, Rested]
    assert JournalRow.objects.filter(last_seq=8).exists()
    sold = stream_gateway.submit(place(BOB, "b-1", side=SELL))
    assert [type(event) for event in sold.events] == [Accepted, Trade]
