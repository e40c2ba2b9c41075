"""Hands committed batches to the projections, each exactly once, in order.

The offset moves in the transaction that writes the rows. A gap, or an offset that is not where
it was left, stops the projector: projections that are behind are better than wrong ones.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any, Final, NamedTuple

import psycopg
import redis
from django.conf import settings

from apps.matching import failpoints, projections, servers, wire
from apps.matching.journal import (
    GENESIS_HASH,
    AnyCursor,
    Batch,
    CorruptJournal,
    Row,
    check_follows,
    read_rows,
    row_of,
)
from apps.matching.replay import young_collections_only
from apps.matching.servers import Connection
from apps.matching.subscription import Subscription

logger = logging.getLogger(__name__)

LOCK_CLASS: Final = 0x53554D33
POLL_SECONDS: Final = 0.1
TELL_PLACE_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 0.5
STATEMENT_SECONDS: Final = 60

# How long the thread that prepares may keep the one that writes waiting for the interpreter.
SWITCH_SECONDS: Final = 0.0003
# When behind, so much goes into one transaction: enough to be fast, little enough that readers
# see it grow.
ROWS_READ: Final = 200
COMMANDS_PER_TRANSACTION: Final = 20_000
# The first of them is prepared while the database has nothing to do, so it is small.
COMMANDS_AT_FIRST: Final = 5_000


class OffsetMoved(Exception):
    """The projections are not where this projector left them, or the journal has a gap."""


def project(batch: Batch, cursor: Any, *, shard: int) -> None:
    """Write the batch into all projections and move the offset, in the caller's transaction."""
    projections.take_up_all(cursor, seq=batch.first_seq - 1)
    _write(_Prepared(batch, projections.prepare_all(batch)), cursor, shard=shard)


class _Prepared(NamedTuple):
    """A batch, and what is left to do for it: the work of the database."""

    batch: Batch
    writes: list[projections.Write]


def _write(prepared: _Prepared, cursor: Any, *, shard: int) -> None:
    move_offset(prepared.batch, cursor, shard=shard)
    for write in prepared.writes:
        write(cursor)
        failpoints.reach(failpoints.MID_PROJECTION)


def move_offset(batch: Batch, cursor: AnyCursor, *, shard: int) -> None:
    """Take the offset from just before the batch to its end, or refuse."""
    at_ns = batch.entries[-1].at_ns
    if batch.first_seq == 1:
        cursor.execute(
            "INSERT INTO matching_projection_offset (shard, seq, at_ns, versions)"
            " VALUES (%s, %s, %s, %s::jsonb) ON CONFLICT (shard) DO UPDATE SET"
            " seq = excluded.seq, at_ns = excluded.at_ns, versions = excluded.versions"
            " WHERE matching_projection_offset.seq = 0",
            (shard, batch.last_seq, at_ns, json.dumps(projections.versions())),
        )
    else:
        cursor.execute(
            "UPDATE matching_projection_offset SET seq = %s, at_ns = %s"
            " WHERE shard = %s AND seq = %s",
            (batch.last_seq, at_ns, shard, batch.first_seq - 1),
        )
    if cursor.rowcount != 1:
        raise OffsetMoved(
            f"The projections are not at seq {batch.first_seq - 1}: {batch.first_seq} to"
            f" {batch.last_seq} was not projected."
        )


def tell(batch: Batch) -> None:
    """Let projections publish a committed batch. What they fail to publish stops nothing."""
    for projection in projections.registered():
        if isinstance(projection, projections.PublishesBatches):
            try:
                projection.committed(batch)
            except Exception:
                logger.exception(
                    "Projection %s failed to publish %d to %d.",
                    projection.name, batch.first_seq, batch.last_seq,
                )  # fmt: skip


class Projector:
    """The process that projects. There is one at a time; a second one waits for its turn."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._shard = settings.MATCHING_SHARD
        self._place = _Place(self._shard)
        self._last_seq = 0
        # Up to where the journal has been read; what of it is not prepared yet; what is, or is
        # being prepared.
        self._read_seq = 0
        self._read_hash = GENESIS_HASH
        self._ahead: deque[Row] = deque()
        self._preparing: deque[Future[_Prepared]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")
        sys.setswitchinterval(SWITCH_SECONDS)

    def run(self) -> None:
        """Project until told to stop; wait where PostgreSQL is away."""
        wakeups = Subscription(wire.wakeup_channel(self._shard))
        # What is prepared makes no cycles; looking for them would take a sixth of the time.
        with closing(wakeups), young_collections_only():
            while not self._stop.is_set():
                try:
                    with closing(connect()) as connection:
                        self._project_from(connection, wakeups)
                except psycopg.OperationalError as error:
                    logger.warning("PostgreSQL is away, projecting waits: %s", error)
                    self._stop.wait(RECONNECT_SECONDS)

    def _project_from(self, connection: Connection, wakeups: Subscription) -> None:
        if not wait_for_turn(connection, self._shard, self._stop):
            return
        changed = outdated(connection.cursor(), shard=self._shard)
        if changed:
            logger.warning(
                "Projections have changed (%s): all tables are written again from the journal.",
                ", ".join(changed),
            )
            self.rewrite(connection)
        self.find_place(connection)
        while not self._stop.is_set():
            if not self.step(connection):
                self._place.say(self._last_seq, time.time_ns())
                wakeups.next(POLL_SECONDS)
                wakeups.drain()

    @property
    def projected_seq(self) -> int:
        """Return up to where this projector has written."""
        return self._last_seq

    def find_place(self, connection: Connection) -> None:
        """Take up where the last projector stopped."""
        self._ahead.clear()
        # What is being prepared may not come next, and nothing else may be prepared meanwhile.
        for each in self._preparing:
            each.cancel()
        wait(self._preparing)
        self._preparing.clear()
        cursor = connection.cursor()
        self._last_seq = self._read_seq = offset(cursor, shard=self._shard)
        self._read_hash = GENESIS_HASH
        if self._last_seq:
            row = row_of(cursor, self._last_seq, shard=self._shard)
            if row is None or row.last_seq != self._last_seq:
                raise OffsetMoved(
                    f"The projections are at seq {self._last_seq}, where no journal row ends."
                )
            self._read_hash = row.hash
        projections.take_up_all(cursor, seq=self._last_seq)

    def rewrite(self, connection: Connection) -> None:
        """Empty every projection and write it again up to where it was, telling nobody.

        One transaction: in the end all is new, or, where it is stopped, all is as before. Readers
        wait meanwhile.
        """
        with connection.transaction():
            with connection.cursor() as cursor:
                was_seq = offset(cursor, shard=self._shard)
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute("SET LOCAL lock_timeout = '30s'")
                projections.clear_all(cursor)
                cursor.execute(
                    "UPDATE matching_projection_offset SET seq = 0, at_ns = 0 WHERE shard = %s",
                    (self._shard,),
                )
            self.find_place(connection)
            while self._last_seq < was_seq and self.step(connection, tells=False):
                if self._stop.is_set():
                    raise psycopg.Rollback

    def step(self, connection: Connection, *, tells: bool = True) -> bool:
        """Project what comes next in one transaction; return whether there was anything.

        While the database writes it, those behind it are prepared, if they have been read.
        """
        prepared = self._next_prepared(connection)
        if prepared is None:
            return False
        batch = prepared.batch
        failpoints.reach(failpoints.ACKED_NOT_PROJECTED)
        self._prepare_ahead()
        with connection.transaction(), connection.cursor() as cursor:
            _write(prepared, cursor, shard=self._shard)
        self._last_seq = batch.last_seq
        if tells:
            self._place.say(self._last_seq, batch.entries[-1].at_ns, now=True)
            tell(batch)
        return True

    def _next_prepared(self, connection: Connection) -> _Prepared | None:
        if not self._fills_a_transaction():
            self._read_ahead(_binary_cursor(connection))
        if self._preparing:
            return self._preparing.popleft().result()
        rows = self._next_rows(COMMANDS_AT_FIRST)
        return _prepare(rows) if rows else None

    def _fills_a_transaction(self) -> bool:
        """Whether enough has been read, so that the next to be prepared is no smaller than it may.

        A small one would be written before the one behind it is prepared, and the database wait.
        """
        if not self._ahead:
            return False
        return self._ahead[-1].last_seq - self._ahead[0].first_seq >= COMMANDS_PER_TRANSACTION

    def _prepare_ahead(self) -> None:
        while self._ahead and len(self._preparing) < projections.PREPARED_MAX:
            rows = self._next_rows(COMMANDS_PER_TRANSACTION)
            self._preparing.append(self._thread.submit(_prepare, rows))

    def _next_rows(self, commands_max: int) -> list[Row]:
        rows: list[Row] = []
        while self._ahead:
            first_seq = rows[0].first_seq if rows else self._ahead[0].first_seq
            if rows and self._ahead[0].last_seq - first_seq >= commands_max:
                break
            rows.append(self._ahead.popleft())
        return rows

    def _read_ahead(self, cursor: AnyCursor) -> None:
        for row in read_rows(cursor, self._read_seq, shard=self._shard, limit=ROWS_READ):
            check_follows(row, last_seq=self._read_seq, last_hash=self._read_hash)
            self._read_seq, self._read_hash = row.last_seq, row.hash
            self._ahead.append(row)


def _prepare(rows: list[Row]) -> _Prepared:
    batch = _merged(rows)
    return _Prepared(batch, projections.prepare_all(batch))


class _Place:
    """Tells the gateways how far the projections are."""

    def __init__(self, shard: int) -> None:
        self._key = wire.projected_key(shard)
        self._client = servers.valkey()
        self._say_at = 0.0

    def say(self, seq: int, at_ns: int, *, now: bool = False) -> None:
        """Say it, but not all the time while nothing happens."""
        if not now and time.monotonic() < self._say_at:
            return
        self._say_at = time.monotonic() + TELL_PLACE_SECONDS
        try:
            self._client.set(self._key, f"{seq}:{at_ns // 1_000_000}")
        except redis.RedisError as error:
            logger.warning("Valkey cannot be told how far the projections are: %s", error)


def connect() -> Connection:
    """Return a connection for projecting, with the cursors that projections are written for."""
    return servers.postgres(
        name="matching-projector", statement_seconds=STATEMENT_SECONDS, client_binding=True
    )


def wait_for_turn(connection: Connection, shard: int, stop: threading.Event) -> bool:
    """Wait until no other projector of this shard is left; return False when told to stop."""
    waiting = False
    while not stop.is_set():
        found = connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, shard)
        ).fetchone()
        if found is not None and found[0]:
            return True
        if not waiting:
            logger.info("Another projector is at work: standing by.")
            waiting = True
        stop.wait(RECONNECT_SECONDS)
    return False


def offset(cursor: AnyCursor, *, shard: int) -> int:
    """Return up to where the projections have been written."""
    cursor.execute("SELECT seq FROM matching_projection_offset WHERE shard = %s", (shard,))
    found = cursor.fetchone()
    return 0 if found is None else int(found[0])


def outdated(cursor: AnyCursor, *, shard: int) -> list[str]:
    """Return the projections that have not written the tables, or wrote them as another version."""
    cursor.execute(
        "SELECT versions FROM matching_projection_offset WHERE shard = %s AND seq > 0", (shard,)
    )
    found = cursor.fetchone()
    if found is None:
        return []
    now = projections.versions()
    return [name for name, version in now.items() if found[0].get(name) != version]


def rebuild(*, shard: int) -> int:
    """Write every projection again from the journal; return the seq it ends at."""
    with closing(connect()) as connection:
        if not connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, shard)
        ).fetchone() == (True,):
            raise OffsetMoved("A projector is at work: stop it first.")
        projector = Projector(threading.Event())
        with young_collections_only():
            projector.rewrite(connection)
        return projector.projected_seq


def _binary_cursor(connection: Connection) -> AnyCursor:
    # Bytes come as bytes, not as text: the connection's own cursors cannot do that.
    cursor = psycopg.Cursor(connection)
    cursor.format = psycopg.pq.Format.BINARY
    return cursor


def _merged(rows: list[Row]) -> Batch:
    batches = [row.batch() for row in rows]
    entries = [entry for batch in batches for entry in batch.entries]
    if entries[-1].seq != rows[-1].last_seq:
        raise CorruptJournal(rows[0].first_seq, "it holds another number of commands than it says")
    return Batch(batches[0].first_seq, batches[-1].last_seq, entries)
