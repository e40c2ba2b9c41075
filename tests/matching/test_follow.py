"""Followers see every batch, in order, whatever Valkey does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import redis

from apps.engine.messages import BUY, SELL
from apps.matching import follow, queries, wire
from apps.matching.gateway import Gateway
from apps.matching.journal import Batch
from apps.matching.stream import StreamGateway
from tests.matching.commands import ALICE, BOB, BTC_USDT, place, set_up
from tests.matching.conftest import RunningHost


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def next_batch(batches: Iterator[Batch | None]) -> Batch:
    for _ in range(40):
        batch = next(batches)
        if batch is not None:
            return batch
    raise AssertionError("Nothing came.")


def test_followers_begin_with_what_is_there_and_go_on_live(
    start_host: Callable[[], RunningHost], stream_gateway: StreamGateway, stop: threading.Event
) -> None:
    start_host()
    set_up(stream_gateway)
    batches = follow.follow(0, stop)

    assert (first := next_batch(batches)).last_seq == 7
    assert [entry.seq for entry in first.entries] == [1, 2, 3, 4, 5, 6, 7]
    reply = stream_gateway.submit(place(ALICE, "a-1"))
    live = next_batch(batches)

    assert (live.first_seq, live.last_seq) == (8, 8)
    assert live.entries[0].events == reply.events
    assert live.entries[0].at_ns == reply.at_ns


def test_a_gap_is_filled_from_the_journal(
    unprojected: Gateway, valkey: redis.Redis, transactional_db: None, stop: threading.Event
) -> None:
    set_up(unprojected)
    batches = follow.follow(7, stop)
    assert next(batches) is None
    for number in range(3):
        unprojected.submit(place(ALICE, f"a-{number}"))

    # Only the last of three is published.
    valkey.publish(wire.out_channel(0), wire.encode_committed(10, [1], b"\x91\x91\x90"))
    seqs = [next_batch(batches).first_seq for _ in range(3)]

    assert seqs == [8, 9, 10]


def test_what_is_published_twice_or_late_is_passed_over(
    unprojected: Gateway, valkey: redis.Redis, transactional_db: None, stop: threading.Event
) -> None:
    set_up(unprojected)
    batches = follow.follow(7, stop)
    assert next(batches) is None
    message = wire.encode_committed(8, [1], b"\x91\x91\x90")
    for said in (message, message, b"nonsense", wire.encode_committed(3, [1], b"\x91\x91\x90")):
        valkey.publish(wire.out_channel(0), said)

    assert next_batch(batches).last_seq == 8
    assert [next(batches) for _ in range(3)] == [None, None, None]


def test_a_follower_may_begin_inside_a_row(
    unprojected: Gateway, transactional_db: None, valkey: redis.Redis, stop: threading.Event
) -> None:
    set_up(unprojected)

    batch = next_batch(follow.follow(4, stop))

    assert (batch.first_seq, batch.last_seq) == (5, 7)
    assert [entry.seq for entry in batch.entries] == [5, 6, 7]


def test_without_valkey_the_journal_is_enough(
    unprojected: Gateway, transactional_db: None, settings: object, stop: threading.Event
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    set_up(unprojected)
    batches = follow.follow(0, stop)
    assert next_batch(batches).last_seq == 7

    unprojected.submit(place(ALICE, "a-1"))

    assert next_batch(batches).last_seq == 8


def test_a_replica_shows_the_book(unprojected: Gateway, transactional_db: None) -> None:
    set_up(unprojected)
    unprojected.submit(place(ALICE, "a-1", side=BUY, lots=5, price_ticks=5_990_000))
    unprojected.submit(place(ALICE, "a-2", side=BUY, lots=7, price_ticks=5_990_000))
    unprojected.submit(place(BOB, "b-1", side=SELL, lots=2, price_ticks=6_010_000))

    seq, view = follow.replica()

    assert seq == 10
    assert view.depth(1) == ([(5_990_000, 12)], [(6_010_000, 2)])
    assert view.instruments == {1: BTC_USDT}


def test_waiting_for_a_seq_is_bounded(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)

    assert queries.wait_for_seq(7, timeout_seconds=0)
    assert not queries.wait_for_seq(8, timeout_seconds=0.05)
    assert queries.projected_seq() == queries.journaled_seq() == 7


def test_waiting_ends_when_the_seq_is_there(
    unprojected: Gateway, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = iter([0, 3, 7])
    monkeypatch.setattr(queries, "projected_seq", lambda: next(reached))

    assert queries.wait_for_seq(5, timeout_seconds=5)


def test_lag_is_the_age_of_what_is_missing(engine_gateway: Gateway, unprojected: Gateway) -> None:
    set_up(engine_gateway)
    assert queries.projector_lag() == queries.ProjectorLag(0, 0.0)

    unprojected.submit_many([place(ALICE, "a-1"), place(ALICE, "a-2")])

    lag = queries.projector_lag()
    assert lag.commands == 2
    assert 0 < lag.seconds < 60


def test_health_without_a_writer(valkey: redis.Redis) -> None:
    assert queries.engine_health() == {
        "leading": False,
        "epoch": 0,
        "seq": 0,
        "generation": 0,
        "inbox_entries": 0,
        "alarm": "",
    }
