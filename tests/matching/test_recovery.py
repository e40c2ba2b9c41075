"""Recovery, snapshots, and what a host refuses to begin with. R3.3, R5, R10."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import msgspec
import pytest
from django.db import connection

from apps.engine.engine import Engine
from apps.engine.messages import SELL
from apps.matching import replay, snapshots
from apps.matching.gateway import Gateway
from apps.matching.inprocess import InProcessGateway
from apps.matching.journal import CorruptJournal
from apps.matching.models import Snapshot
from tests.matching.commands import ALICE, BOB, place, set_up
from tests.matching.conftest import RunningHost
from tests.matching.tampering import flip_byte, tamper

pytestmark = pytest.mark.django_db(transaction=True)


def trade(gateway: Gateway, first: int, count: int) -> None:
    for number in range(first, first + count):
        gateway.submit_many(
            [place(ALICE, f"a-{number}"), place(BOB, f"b-{number}", side=SELL, lots=3 + number % 5)]
        )


def recovered() -> replay.Replayer:
    with connection.cursor() as cursor:
        return replay.recover(cursor, shard=0)


def live_engine(gateway: Gateway) -> Engine:
    assert isinstance(gateway, InProcessGateway)
    assert gateway._replayer is not None
    return gateway._replayer.engine


def snapshot_seqs() -> list[int]:
    return list(Snapshot.objects.order_by("seq").values_list("seq", flat=True))


@pytest.fixture
def traded(unprojected: Gateway) -> Gateway:
    """Journal of 47 commands, snapshots at 17 and 37."""
    set_up(unprojected)
    trade(unprojected, 0, 5)
    assert replay.take_snapshot(shard=0) == 17
    trade(unprojected, 5, 10)
    assert replay.take_snapshot(shard=0) == 37
    trade(unprojected, 15, 5)
    return unprojected


def test_replay_gives_the_live_state(traded: Gateway) -> None:
    full = replay.Replayer()
    with connection.cursor() as cursor:
        replay.catch_up(full, cursor, shard=0)

    assert full.engine.seq == 47
    assert full.engine.state_hash() == live_engine(traded).state_hash()


def test_snapshot_and_tail_give_the_live_state(traded: Gateway) -> None:
    seen: list[int] = []
    with connection.cursor() as cursor:
        found = replay.recover(cursor, shard=0, progress=seen.append)

    assert found.engine.state_hash() == live_engine(traded).state_hash()
    # Only what came after the snapshot was replayed.
    assert seen == [39, 41, 43, 45, 47]


def test_recovery_can_stop_at_any_row(traded: Gateway) -> None:
    with connection.cursor() as cursor:
        found = replay.restore(cursor, shard=0)
        replay.catch_up(found, cursor, shard=0, until_seq=42)

    assert found.engine.seq == 41


@pytest.mark.parametrize(
    "damage",
    [
        "state = set_byte(state, 40, get_byte(state, 40) # 1)",
        "state_sha256 = repeat('0', 64)",
        "state_hash = repeat('0', 64)",
        "journal_hash = decode(repeat('00', 32), 'hex')",
        "state = 'x', state_sha256 = encode(sha256('x'), 'hex')",
    ],
)
def test_a_bad_snapshot_is_passed_over_loudly(
    traded: Gateway, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE matching_snapshot SET {damage} WHERE seq = 37")

    with caplog.at_level(logging.CRITICAL):
        found = recovered()

    assert found.engine.state_hash() == live_engine(traded).state_hash()
    assert "Snapshot at seq 37 is passed over" in caplog.text


def test_a_snapshot_of_an_earlier_release_is_used(
    traded: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    newest = Snapshot.objects.get(seq=37)
    state = msgspec.msgpack.decode(bytes(newest.state))
    # Before there were blocks, dead man's switches, and prices that stops trail.
    accounts, orders = [each[:6] for each in state[8]], [each[:11] for each in state[10]]
    earlier = msgspec.msgpack.encode([*state[:8], accounts, state[9], orders, *state[11:13]])
    newest.state = earlier
    newest.state_sha256 = newest.state_hash = hashlib.sha256(earlier).hexdigest()
    newest.save()

    with connection.cursor() as cursor, caplog.at_level(logging.CRITICAL):
        restored = replay.restore(cursor, shard=0)

    assert restored.engine.seq == 37
    assert caplog.text == ""
    assert recovered().engine.state_hash() == live_engine(traded).state_hash()


def test_an_order_that_a_snapshot_lacks_is_no_earlier_release(
    traded: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        newest = next(snapshots.newest_first(cursor, shard=0))
    state = msgspec.msgpack.decode(newest.state)
    state[12] = state[12][:-1]
    less = msgspec.msgpack.encode(state)
    digest = hashlib.sha256(less).hexdigest()
    altered = msgspec.structs.replace(newest, state=less, state_sha256=digest, state_hash=digest)

    assert not snapshots.is_of(altered, snapshots.open_snapshot(newest) or Engine())


def test_without_any_good_snapshot_the_journal_is_enough(traded: Gateway) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_snapshot SET state_sha256 = ''")

    assert recovered().engine.state_hash() == live_engine(traded).state_hash()


def test_a_snapshot_is_taken_only_of_something_new(traded: Gateway) -> None:
    assert replay.take_snapshot(shard=0) == 47
    assert replay.take_snapshot(shard=0) is None
    assert snapshot_seqs() == [17, 37, 47]


def test_only_the_last_few_snapshots_are_kept(unprojected: Gateway) -> None:
    set_up(unprojected)
    for number in range(snapshots.KEPT + 2):
        trade(unprojected, number, 1)
        replay.take_snapshot(shard=0)

    assert snapshot_seqs() == [13, 15, 17, 19, 21]


def test_a_new_snapshot_takes_the_place_of_a_bad_one(traded: Gateway) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_snapshot SET state_sha256 = '' WHERE seq = 37")

    assert replay.take_snapshot(shard=0) == 47
    assert recovered().engine.state_hash() == live_engine(traded).state_hash()


@pytest.mark.parametrize("column", ["commands", "events", "hash"])
def test_a_host_refuses_a_corrupt_row_and_names_it(
    traded: Gateway, start_host: Callable[[], RunningHost], column: str
) -> None:
    flip_byte(column, 45)

    error = start_host().ended()

    assert isinstance(error, CorruptJournal)
    assert error.seq == 44
    assert "seq 44" in str(error)


def test_a_host_refuses_a_journal_whose_end_is_gone(
    traded: Gateway, start_host: Callable[[], RunningHost]
) -> None:
    tamper("DELETE FROM matching_journal WHERE last_seq = 47")

    error = start_host().ended()

    assert isinstance(error, CorruptJournal)
    assert error.seq == 46
