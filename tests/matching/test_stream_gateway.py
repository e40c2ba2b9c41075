"""The gateway through Valkey: what it refuses before sending, and how answers come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from apps.core.errors import Unavailable
from apps.engine.messages import (
    BLOCKED,
    GTC,
    HALTED,
    KILL_ACCOUNT,
    LIMIT,
    REDUCE_ONLY,
    SELL,
    Accepted,
    AccountSet,
    CancelAll,
    Closed,
    Kill,
    Leg,
    Limits,
    PlacePair,
    Rested,
    SetAccount,
    SetVenue,
    Terms,
    Transfer,
    VenueSet,
)
from apps.matching import queries, stream, wire
from apps.matching.gateway import new_command_id, outcome_unknown, valid_until_ns
from apps.matching.inbox import Link
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, place, set_up, until_available
from tests.matching.conftest import RunningHost
from tests.matching.watching import eventually, in_stream

StartHost = Callable[[], RunningHost]


def test_r2_a_full_inbox_refuses(
    start_host: StartHost,
    stream_gateway: StreamGateway,
    valkey: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_host()
    set_up(stream_gateway)
    monkeypatch.setattr(stream, "INBOX_ENTRIES_MAX", 0)

    with pytest.raises(Unavailable) as caught:
        stream_gateway.submit(place(ALICE, "a-1"))

    assert caught.value.code == "engine_busy"
    assert caught.value.data["retry_after_seconds"] == 1
    assert queries.journaled_seq() == 7


def test_the_venue_is_halted_however_full_the_inbox_and_however_late_the_records(
    start_host: StartHost,
    stream_gateway: StreamGateway,
    valkey: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_host()
    set_up(stream_gateway)
    accepted = stream_gateway.submit(place(ALICE, "a-1")).events[0]
    assert isinstance(accepted, Accepted)
    monkeypatch.setattr(stream, "INBOX_ENTRIES_MAX", 0)
    monkeypatch.setattr(stream, "PROJECTOR_LAG_COMMANDS_MAX", -1)

    halted, killed = stream_gateway.submit_many(
        [
            SetVenue(new_command_id(), valid_until_ns(10), HALTED),
            CancelAll(new_command_id(), valid_until_ns(10), 0),
        ]
    )
    with pytest.raises(Unavailable):
        stream_gateway.submit(place(ALICE, "a-2"))

    assert halted.events == (VenueSet(HALTED),)
    (ended,) = killed.events
    assert isinstance(ended, Closed)
    assert (ended.order_id, ended.reason) == (accepted.order_id, "kill")


@pytest.mark.parametrize("blocked", [False, True])
def test_an_account_past_its_limit_is_stopped_however_full_the_inbox(
    start_host: StartHost,
    stream_gateway: StreamGateway,
    valkey: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    blocked: bool,
) -> None:
    start_host()
    set_up(stream_gateway)
    accepted = stream_gateway.submit(place(ALICE, "a-1")).events[0]
    assert isinstance(accepted, Accepted)
    monkeypatch.setattr(stream, "INBOX_ENTRIES_MAX", 0)
    monkeypatch.setattr(stream, "PROJECTOR_LAG_COMMANDS_MAX", -1)

    state = BLOCKED if blocked else REDUCE_ONLY
    told = stream_gateway.submit(
        SetAccount(new_command_id(), valid_until_ns(10), ALICE, state, 1, Limits())
    )
    with pytest.raises(Unavailable):
        stream_gateway.submit(CancelAll(new_command_id(), valid_until_ns(10), ALICE))
    head = new_command_id(), valid_until_ns(10)
    swept = stream_gateway.submit(
        Kill(*head, KILL_ACCOUNT, ALICE) if blocked else CancelAll(*head, ALICE, 0, 0, True)
    )

    assert told.events == (AccountSet(ALICE, state, 1, Limits()),)
    ended = [event for event in swept.events if isinstance(event, Closed)]
    assert [(each.order_id, each.reason) for each in ended] == [
        (accepted.order_id, "kill" if blocked else "reduce_only")
    ]


@pytest.mark.parametrize(
    ("place_said", "accepted"),
    [
        ("7:{now}", True),
        ("0:{now}", True),
        ("0:{two_minutes_ago}", False),
        ("7:{two_minutes_ago}", True),
        (None, False),
    ],
)
def test_r1_projections_too_far_behind_refuse(
    start_host: StartHost,
    stream_gateway: StreamGateway,
    valkey: redis.Redis,
    place_said: str | None,
    accepted: bool,
) -> None:
    start_host()
    set_up(stream_gateway)
    eventually(lambda: queries.engine_health()["seq"] == 7)
    now_ms = time.time_ns() // 1_000_000
    key = wire.projected_key(0)
    if place_said is None:
        # The writer puts one there only where there is none, from its next heartbeat on.
        valkey.set(wire.leader_key(0), "0:9:7:1", px=60_000)
        valkey.delete(key)
    else:
        valkey.set(key, place_said.format(now=now_ms, two_minutes_ago=now_ms - 120_500))

    if accepted:
        assert stream_gateway.submit(place(ALICE, "a-1")).seq == 8
    else:
        with pytest.raises(Unavailable) as caught:
            stream_gateway.submit(place(ALICE, "a-1"))
        assert caught.value.code == "engine_busy"
        assert queries.journaled_seq() == 7


def test_without_a_writer_nothing_is_sent(
    stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    for call in (
        lambda: stream_gateway.submit(place(ALICE, "a-1")),
        lambda: stream_gateway.send([place(ALICE, "a-1")]),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.code == "engine_unavailable"
    assert in_stream(valkey) == 0


def test_no_answer_in_time_is_not_taken_for_a_refusal(
    stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    # A writer that has died this moment: its heartbeat is still there.
    valkey.set(wire.leader_key(0), "0:1:0:0")
    valkey.set(wire.projected_key(0), "0:0")
    order = place(ALICE, "a-1")

    with pytest.raises(Unavailable) as caught:
        stream_gateway.submit(order, timeout_seconds=0.1)

    assert caught.value.code == "outcome_unknown"
    assert caught.value.data["client_order_id"] == "a-1"
    assert caught.value.data["command_id"] == order.command_id.hex()
    assert in_stream(valkey) == 1


def test_whoever_gets_no_answer_for_a_pair_is_told_its_id_too() -> None:
    terms = Terms(1, SELL, LIMIT, GTC, 1, price_ticks=2)

    unknown = outcome_unknown([PlacePair(new_command_id(), 1, ALICE, "both", terms, terms)])

    assert unknown.data["client_order_id"] == "both"


def test_only_so_many_may_wait(
    stream_gateway: StreamGateway, valkey: redis.Redis, settings: Any
) -> None:
    valkey.set(wire.leader_key(0), "0:1:0:0")
    valkey.set(wire.projected_key(0), "0:0")
    waiting = [
        threading.Thread(target=_wait_in_vain, args=(stream_gateway, number))
        for number in range(settings.MATCHING_WAITERS_MAX)
    ]
    for thread in waiting:
        thread.start()
    eventually(lambda: in_stream(valkey) == len(waiting))

    with pytest.raises(Unavailable) as caught:
        stream_gateway.submit(place(ALICE, "one too many"))

    assert caught.value.code == "engine_busy"
    assert in_stream(valkey) == len(waiting)
    for thread in waiting:
        thread.join()
    with pytest.raises(Unavailable, match="did not answer"):
        stream_gateway.submit(place(ALICE, "again"), timeout_seconds=0.1)


def _wait_in_vain(stream_gateway: StreamGateway, number: int) -> None:
    with pytest.raises(Unavailable):
        stream_gateway.submit(place(ALICE, f"a-{number}"), timeout_seconds=1.0)


def test_r11_an_answer_that_is_lost_can_be_asked_for_again(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_host()
    set_up(stream_gateway)
    order = place(ALICE, "a-1")
    post, failed = Link.post, threading.Event()

    def fail_once(link: Link, commands: Sequence[Sequence[Any]]) -> None:
        if not failed.is_set():
            failed.set()
            raise redis.ConnectionError("gone between commit and answer")
        post(link, commands)

    monkeypatch.setattr(Link, "post", fail_once)
    with pytest.raises(Unavailable) as caught:
        stream_gateway.submit(order, timeout_seconds=0.7)
    again = until_available(lambda: stream_gateway.submit(order))

    assert caught.value.code == "outcome_unknown"
    assert again.duplicate
    assert again.seq == 8
    assert [type(event) for event in again.events] == [Accepted, Rested]
    assert running.error is None


def test_packed_and_single_commands_come_back_in_order(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up(stream_gateway)

    replies = stream_gateway.submit_many(
        [place(ALICE, f"a-{number}", lots=number + 1) for number in range(40)]
    )

    assert [reply.seq for reply in replies] == list(range(8, 48))
    accepted = [reply.events[0] for reply in replies]
    assert [e.terms.quantity_lots for e in accepted if isinstance(e, Accepted)] == [*range(1, 41)]


def test_more_than_one_entry_holds_is_refused_by_the_gateway(
    stream_gateway: StreamGateway,
) -> None:
    with pytest.raises(ValueError, match="At most 500"):
        stream_gateway.submit_many([place(ALICE, f"a-{n}") for n in range(501)])


def test_more_bytes_than_one_entry_holds_are_refused_by_the_gateway(
    stream_gateway: StreamGateway,
) -> None:
    legs = tuple(Leg(account, 1, 0) for account in range(1, 1001))
    transfers = [Transfer(new_command_id(), valid_until_ns(5), legs) for _ in range(400)]

    with pytest.raises(ValueError, match="send fewer at once"):
        stream_gateway.send(transfers)


def test_nothing_to_send_asks_nobody(stream_gateway: StreamGateway) -> None:
    assert stream_gateway.submit_many([]) == []
    stream_gateway.send([])


def test_the_gateway_hears_again_after_valkey_dropped_it(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    start_host()
    set_up(stream_gateway)

    valkey.client_kill_filter(_type="pubsub")
    valkey.client_kill_filter(_type="normal", skipme=True)
    reply = until_available(lambda: stream_gateway.submit(place(ALICE, "a-1")))

    assert reply.seq == 8
    assert [type(event) for event in reply.events] == [Accepted, Rested]
