"""The host against real PostgreSQL and Valkey: R1 to R4."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    EXPIRED,
    GTD,
    LIMIT,
    SELL,
    Accepted,
    AnyCommand,
    AnyEvent,
    Closed,
    Malformed,
    Place,
    Quarantined,
    Rejected,
    Rested,
    Terms,
    Tick,
    Trade,
    VenueSet,
)
from apps.matching import journal, lease, queries, wire
from apps.matching.gateway import new_command_id, valid_until_ns
from apps.matching.lease import LeaseLost
from apps.matching.models import JournalRow
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, BOB, place, set_up, until_available
from tests.matching.conftest import RunningHost
from tests.matching.watching import commands_of, eventually, in_stream, rows

StartHost = Callable[[], RunningHost]


def test_acknowledged_means_committed(start_host: StartHost, stream_gateway: StreamGateway) -> None:
    start_host()
    replies = set_up(stream_gateway)
    assert [reply.seq for reply in replies] == [1, 2, 3, 4, 5, 6, 7]

    reply = stream_gateway.submit(place(ALICE, "a-1"))

    assert [type(event) for event in reply.events] == [Accepted, Rested]
    assert reply.seq == 8
    assert JournalRow.objects.filter(first_seq=8, last_seq=8).exists()
    sold = stream_gateway.submit(place(BOB, "b-1", side=SELL))
    assert [type(event) for event in sold.events] == [Accepted, Trade]


def test_r1_the_same_command_again_gets_the_same_answer(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up(stream_gateway)
    order = place(ALICE, "a-1")
    first = stream_gateway.submit(order)

    again = stream_gateway.submit(order)
    together = stream_gateway.submit_many([place(ALICE, "a-2"), order])

    for reply in (again, together[1]):
        assert reply.duplicate
        assert (reply.seq, reply.at_ns, reply.events) == (first.seq, first.at_ns, first.events)
    assert not together[0].duplicate


def test_r1_a_stale_command_is_refused(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up(stream_gateway)
    terms = place(ALICE, "a-1").terms

    reply = stream_gateway.submit(Place(new_command_id(), 1, ALICE, "a-1", terms))

    assert reply.rejected == Rejected("expired_command", ALICE, "a-1")


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"\xff\xff",
        wire.encoder.encode(["gateway", 0]),
        wire.encoder.encode(["gateway", 0, [[99, b"", 0]]]),
        wire.encoder.encode(["gateway", 0, []]),
        b"\x91" * 5_000,
        wire.encoder.encode(["gateway", 0, b"x" * (wire.ENVELOPE_BYTES_MAX + 1)]),
    ],
)
def test_r1_an_entry_that_cannot_be_read_is_journaled_and_passed_over(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis, envelope: bytes
) -> None:
    start_host()
    set_up(stream_gateway)

    valkey.xadd(wire.stream_key(0, 0), {wire.FIELD: envelope})
    reply = stream_gateway.submit(place(ALICE, "a-1"))

    assert reply.seq == 9
    (malformed,) = [c for row in rows() for c in commands_of(row) if isinstance(c, Malformed)]
    assert malformed.raw == envelope[: len(malformed.raw)]
    assert len(malformed.raw) == min(len(envelope), 65_536)


def test_r1_who_sent_something_unreadable_is_told_so(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_host()
    set_up(stream_gateway)
    order = place(ALICE, "a-1")
    monkeypatch.setattr(
        wire,
        "encode_envelope",
        lambda gateway_id, request, _: wire.encoder.encode([gateway_id, request, [[99]]]),
    )

    reply = stream_gateway.submit(order)

    assert reply.rejected == Rejected("malformed", ALICE, "a-1")
    assert reply.seq == 8


class Poison:
    """Makes the engine raise on one client order id, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left = times
        self._apply = Engine.apply
        monkeypatch.setattr(Engine, "apply", lambda engine, *args: self.apply(engine, *args))

    def apply(self, engine: Engine, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        if isinstance(command, Place) and command.client_order_id == "poison" and self.left:
            self.left -= 1
            self._apply(engine, place(ALICE, "half done"), now_ns)
            raise ZeroDivisionError("a bug")
        return self._apply(engine, command, now_ns)


def test_r1_a_command_that_raises_once_is_tried_again_from_clean_state(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_host()
    set_up(stream_gateway)
    Poison(monkeypatch, times=1)

    replies = stream_gateway.submit_many([place(ALICE, "a-1"), place(ALICE, "poison")])

    assert [reply.seq for reply in replies] == [8, 9]
    assert all(reply.rejected is None for reply in replies)
    assert queries.engine_health()["alarm"] == ""
    assert running.error is None


def test_r1_a_command_that_raises_twice_is_quarantined(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_host()
    set_up(stream_gateway)
    stream_gateway.submit(place(ALICE, "resting"))
    poison = Poison(monkeypatch, times=99)
    poisoned = place(ALICE, "poison")

    before, refused, after = stream_gateway.submit_many(
        [place(ALICE, "before"), poisoned, place(BOB, "after")]
    )

    assert poison.left == 97
    assert before.rejected is None
    assert refused.rejected == Rejected("quarantined", ALICE, "poison")
    assert after.rejected == Rejected("cancel_only", BOB, "after")
    assert [reply.seq for reply in (before, refused, after)] == [9, 10, 11]
    (kept,) = [c for row in rows() for c in commands_of(row) if isinstance(c, Quarantined)]
    assert kept.raw == journal.encoder.encode(poisoned)
    assert "a bug" in kept.error
    assert rows()[-1].batch().entries[1].events == (VenueSet(CANCEL_ONLY),)
    assert "quarantined" in queries.engine_health()["alarm"]
    assert running.error is None


def test_an_engine_that_raises_whatever_comes_ends_the_host(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_host()
    set_up(stream_gateway)
    apply = Engine.apply

    def broken(engine: Engine, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        if engine.seq >= 7:
            raise ZeroDivisionError("a bug")
        return apply(engine, command, now_ns)

    monkeypatch.setattr(Engine, "apply", broken)
    stream_gateway.send([place(ALICE, "a-1")])

    assert "whatever it is given" in str(running.ended())
    monkeypatch.undo()
    assert queries.journaled_seq() == 7


def test_r2_a_new_writer_goes_on_after_the_last_entry(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    first = start_host()
    set_up(stream_gateway)
    first.stop()
    # Sent while nobody leads: the heartbeat outlives its writer by a moment.
    stream_gateway.send([place(ALICE, "a-1"), place(ALICE, "a-2")])

    start_host()
    eventually(lambda: queries.journaled_seq() == 9)

    reply = stream_gateway.submit(place(BOB, "b-1", side=SELL, lots=20))
    assert [type(event) for event in reply.events] == [Accepted, Trade, Trade]
    assert [row.epoch for row in rows()] == [1, 2, 2]
    assert valkey.exists(wire.stream_key(0, 1)) == 0


def test_r2_the_writer_trims_what_is_committed(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    start_host()
    set_up(stream_gateway)
    for number in range(5):
        stream_gateway.submit(place(ALICE, f"a-{number}"))

    eventually(lambda: in_stream(valkey) <= 1)

    assert stream_gateway.submit(place(BOB, "b-1", side=SELL)).seq == 13


def test_r2_an_empty_valkey_begins_a_new_generation(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    start_host()
    set_up(stream_gateway)

    valkey.flushdb()
    reply = until_available(lambda: stream_gateway.submit(place(ALICE, "a-1")))

    assert reply.seq == 8
    assert [row.stream_generation for row in rows()] == [0, 1]
    assert queries.engine_health()["generation"] == 1


def test_r2_a_new_writer_finds_valkey_empty(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    first = start_host()
    set_up(stream_gateway)
    first.stop()
    valkey.flushdb()

    start_host()
    reply = until_available(lambda: stream_gateway.submit(place(ALICE, "a-1")))

    assert reply.seq == 8
    assert [row.stream_generation for row in rows()] == [0, 1]


def test_r4_time_passes_where_nobody_sends(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    start_host()
    set_up(stream_gateway)
    terms = Terms(1, BUY, LIMIT, GTD, 10, price_ticks=6_000_000, expires_at_ns=valid_until_ns(1.0))
    order = Place(new_command_id(), valid_until_ns(5), ALICE, "a-1", terms)
    stream_gateway.submit(order)

    eventually(lambda: queries.journaled_seq() == 9)
    time.sleep(0.3)

    last = rows()[-1]
    assert [type(command) for command in commands_of(last)] == [Tick]
    (closed,) = last.batch().entries[0].events
    assert isinstance(closed, Closed)
    assert (closed.status, closed.reason) == (EXPIRED, "gtd")
    # Nothing more is due: no further tick.
    assert last.last_seq == 9


def test_a_standby_takes_over_from_a_writer_that_is_stopped(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    first = start_host()
    set_up(stream_gateway)
    second = start_host()
    time.sleep(0.3)
    assert second.error is None

    order = place(ALICE, "a-1")
    first.stop()
    reply = until_available(lambda: stream_gateway.submit(order))

    assert reply.seq == 8
    assert [row.epoch for row in rows()] == [1, 2]


def test_r3_a_long_command_does_not_cost_the_lease(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_host()
    set_up(stream_gateway)
    standby = start_host()
    apply = Engine.apply

    def slow(engine: Engine, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        if isinstance(command, Place):
            time.sleep(lease.TIMEOUT_SECONDS + 0.7)
        return apply(engine, command, now_ns)

    monkeypatch.setattr(Engine, "apply", slow)
    # Two entries: the second is worked out while the first is being committed.
    stream_gateway.send([place(ALICE, "a-1")])
    reply = stream_gateway.submit(place(ALICE, "a-2"), timeout_seconds=10)
    monkeypatch.undo()

    assert reply.seq == 9
    assert standby.error is None
    assert {row.epoch for row in rows()} == {1}


def test_r3_a_writer_that_is_stuck_loses_its_lease(
    start_host: StartHost, stream_gateway: StreamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "STUCK_SECONDS", 0.2)
    first = start_host()
    set_up(stream_gateway)
    apply, stuck = Engine.apply, threading.Event()

    def hang(engine: Engine, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        if isinstance(command, Place) and not stuck.is_set():
            stuck.set()
            time.sleep(4)
        return apply(engine, command, now_ns)

    monkeypatch.setattr(Engine, "apply", hang)
    start_host()
    reply = stream_gateway.submit(place(ALICE, "a-1"), timeout_seconds=10)

    assert reply.seq == 8
    assert isinstance(first.ended(), LeaseLost | psycopg.OperationalError)
    assert [row.epoch for row in rows()] == [1, 2]


def test_r3_a_lost_database_session_ends_the_writer(
    start_host: StartHost, stream_gateway: StreamGateway
) -> None:
    first = start_host()
    set_up(stream_gateway)
    start_host()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(backend_pid) FROM matching_lease")
    reply = stream_gateway.submit(place(ALICE, "a-1"), timeout_seconds=10)

    assert reply.seq == 8
    assert isinstance(first.ended(), LeaseLost | psycopg.OperationalError)
    assert [row.epoch for row in rows()] == [1, 2]


def test_names_in_valkey_carry_the_prefix() -> None:
    names = [
        wire.stream_key(0, 3), wire.leader_key(0), wire.projected_key(0), wire.alarm_key(0),
        wire.out_channel(0), wire.wakeup_channel(0), wire.reply_channel("g"),
    ]  # fmt: skip
    assert names[0] == f"{settings.KEY_PREFIX}engine:0:in:3"
    assert all(name.startswith(settings.KEY_PREFIX) for name in names)


def test_staff_close_and_open_the_venue(
    start_host: StartHost, stream_gateway: StreamGateway, valkey: redis.Redis
) -> None:
    start_host()
    set_up(stream_gateway)
    stream_gateway.submit(place(ALICE, "a-1"))
    valkey.set(wire.alarm_key(0), "look here")

    call_command("venue", "halted", "--cancel-all", stdout=io.StringIO())
    refused = stream_gateway.submit(place(ALICE, "a-2"))

    assert refused.rejected == Rejected("venue_halted", ALICE, "a-2")
    events = [e for row in rows() for entry in row.batch().entries for e in entry.events]
    assert [(e.order_id, e.reason) for e in events if isinstance(e, Closed)] == [(1, "kill")]
    assert queries.engine_health()["alarm"] == "look here"

    said = io.StringIO()
    call_command("venue", "open", stdout=said)

    assert said.getvalue() == "The venue is open from seq 12 on.\n"
    assert stream_gateway.submit(place(ALICE, "a-3")).rejected is None
    assert queries.engine_health()["alarm"] == ""
