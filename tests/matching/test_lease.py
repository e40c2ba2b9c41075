"""One writer: whoever is not, or no longer, cannot add a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from apps.matching import journal, lease, servers
from apps.matching.lease import Lease, LeaseLost
from apps.matching.models import JournalRow
from apps.matching.servers import Connection
from tests.matching.conftest import RunningHost


@pytest.fixture
def connect(transactional_db: None) -> Iterator[Callable[[], Connection]]:
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(servers.postgres(name="test")))


def taken(connection: Connection) -> Lease:
    held = lease.try_take(connection, shard=0)
    assert held is not None
    return held


def empty_row(held: Lease, first_seq: int, last_seq: int, *, epoch: int | None = None) -> Any:
    return journal.make_row(
        shard=0,
        first_seq=first_seq,
        last_seq=last_seq,
        epoch=held.epoch if epoch is None else epoch,
        at_ns=1,
        stream_generation=0,
        last_entry_id="1-1",
        rules_version=1,
        commands=b"\x90" * 300_000,
        events=b"\x90",
        prev_hash=journal.GENESIS_HASH,
    )


def rows() -> list[tuple[int, int, int]]:
    return list(
        JournalRow.objects.order_by("last_seq").values_list("epoch", "first_seq", "last_seq")
    )


def make_silent(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE matching_lease SET renewed_at = clock_timestamp() - %s * interval '1 second'",
            [seconds],
        )


def test_r3_a_row_moves_the_lease_with_it(connect: Callable[[], Connection]) -> None:
    held = taken(connect())

    held.write(empty_row(held, 1, 4))
    held.write(empty_row(held, 5, 5))

    assert (held.epoch, held.last_seq) == (1, 5)
    assert rows() == [(1, 1, 4), (1, 5, 5)]


@pytest.mark.parametrize(("first_seq", "last_seq"), [(4, 6), (6, 6), (1, 4)])
def test_r3_a_row_that_does_not_follow_is_refused(
    connect: Callable[[], Connection], first_seq: int, last_seq: int
) -> None:
    held = taken(connect())
    held.write(empty_row(held, 1, 4))

    with pytest.raises(LeaseLost):
        held.write(empty_row(held, first_seq, last_seq))

    assert rows() == [(1, 1, 4)]


COMMIT_FAILS = """
CREATE FUNCTION no_commit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'No space left on device'; END $$;
CREATE CONSTRAINT TRIGGER no_commit AFTER INSERT ON matching_journal
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_commit();
"""


def test_r1_a_row_that_is_inserted_and_not_committed_is_no_row(
    connect: Callable[[], Connection],
) -> None:
    held = taken(connect())
    with connection.cursor() as cursor:
        cursor.execute(COMMIT_FAILS)

    with pytest.raises(LeaseLost, match="No space left on device"):
        held.write(empty_row(held, 1, 1))

    assert held.last_seq == 0
    assert rows() == []


def test_r3_a_second_engine_stands_by(connect: Callable[[], Connection]) -> None:
    held = taken(connect())

    assert lease.try_take(connect(), shard=0) is None

    held.write(empty_row(held, 1, 1))
    assert rows() == [(1, 1, 1)]


def test_r3_a_free_lock_is_taken_at_once(connect: Callable[[], Connection]) -> None:
    first = connect()
    taken(first)
    second = connect()
    first.close()

    give_up_at = time.monotonic() + 30
    held = None
    while held is None and time.monotonic() < give_up_at:
        held = lease.try_take(second, shard=0)

    assert held is not None
    assert held.epoch == 2


def test_r3_a_silent_writer_is_ended_and_cannot_write_any_more(
    connect: Callable[[], Connection],
) -> None:
    zombie = taken(connect())
    zombie.write(empty_row(zombie, 1, 1))
    make_silent(lease.TIMEOUT_SECONDS + 0.1)

    held = taken(connect())

    assert (held.epoch, held.last_seq) == (2, 1)
    with pytest.raises((LeaseLost, psycopg.OperationalError)):
        zombie.write(empty_row(zombie, 2, 2))
    with pytest.raises((LeaseLost, psycopg.OperationalError)):
        zombie.renew()
    assert rows() == [(1, 1, 1)]


def test_r3_a_writer_of_an_older_epoch_is_refused_even_with_its_connection(
    connect: Callable[[], Connection],
) -> None:
    held = taken(connect())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_lease SET epoch = epoch + 1")

    with pytest.raises(LeaseLost):
        held.write(empty_row(held, 1, 1))
    with pytest.raises(LeaseLost):
        held.renew()

    assert rows() == []


def test_r3_what_the_keeper_has_lost_the_writer_does_not_take_for_committed(
    connect: Callable[[], Connection],
) -> None:
    held = taken(connect())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_lease SET epoch = epoch + 1")
    held.begin(empty_row(held, 1, 1))

    # The keeper is first to collect the answer.
    with pytest.raises(LeaseLost):
        held.renew()

    for _ in range(2):
        with pytest.raises(LeaseLost):
            held.finish()
    assert rows() == []


def test_r3_the_keeper_may_collect_a_commit(connect: Callable[[], Connection]) -> None:
    held = taken(connect())
    held.begin(empty_row(held, 1, 1))
    held.renew()

    held.finish()

    assert held.last_seq == 1
    assert rows() == [(1, 1, 1)]


def test_r3_renewing_keeps_the_lease(connect: Callable[[], Connection]) -> None:
    held = taken(connect())
    make_silent(60)
    held.renew()

    assert lease.try_take(connect(), shard=0) is None


@pytest.mark.parametrize("stopped_seconds", [2, 86_400])
def test_r3_a_holder_not_yet_named_is_given_time(
    connect: Callable[[], Connection], stopped_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody has taken the lock this moment, after the shard stood for a while, and has not
    # raised the epoch yet.
    newcomer = connect()
    newcomer.execute("SELECT pg_advisory_lock(%s, %s)", (lease.LOCK_CLASS, 0))
    lease.ensure_row(newcomer.cursor(), shard=0)
    make_silent(stopped_seconds)

    assert lease.try_take(connect(), shard=0) is None
    assert newcomer.execute("SELECT 1").fetchone() == (1,)

    # It goes no further.
    monkeypatch.setattr(lease, "UNNAMED_SECONDS", 0.0)
    assert lease.try_take(connect(), shard=0) is not None


def test_r3_a_host_whose_clock_is_off_does_not_lead(
    connect: Callable[[], Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    real_time = time.time
    monkeypatch.setattr(lease.time, "time", lambda: real_time() + 1.5)
    assert lease.try_take(connect(), shard=0) is None

    # The lock is free again for one whose clock is right.
    monkeypatch.undo()
    assert lease.try_take(connect(), shard=0) is not None


def test_r9_a_second_shard_is_refused(start_host: Callable[[], RunningHost], settings: Any) -> None:
    settings.MATCHING_SHARD = 1

    error = start_host().ended()

    assert isinstance(error, ImproperlyConfigured)
    assert "only shard 0 exists" in str(error)


def test_a_journal_that_ends_before_the_lease_stops_the_host(
    connect: Callable[[], Connection], start_host: Callable[[], RunningHost]
) -> None:
    lease.ensure_row(connect().cursor(), shard=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_lease SET last_seq = 3")

    error = start_host().ended()

    assert isinstance(error, journal.CorruptJournal)
    assert error.seq == 1
