"""Who may write: the lease row, its epoch, and the one statement that journals.

Updating the lease and inserting the row is one statement, so a writer whose epoch or place is no
longer the lease's cannot add a row, however late it wakes up. Nothing here reconnects: whoever
loses the connection has lost the lease with it.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import psycopg
from psycopg import pq

from apps.matching.journal import AnyCursor, Row
from apps.matching.servers import Connection

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 1.5
RENEW_SECONDS: Final = 0.5
# A holder of the lock that has not put its name into the lease yet is left alone this long.
UNNAMED_SECONDS: Final = 5.0
CLOCK_OFFSET_SECONDS_MAX: Final = 1.0
COMMIT_SECONDS_MAX: Final = 10.0
KEEPER_SECONDS: Final = 0.1
KEEPER_AGE_SECONDS: Final = 0.8
STUCK_SECONDS: Final = 30.0

# First half of the advisory lock's key; the second is the shard.
LOCK_CLASS: Final = 0x53554D31


class LeaseLost(Exception):
    """Somebody else writes now. Whoever gets this must exit without another word."""


class LeaseState(msgspec.Struct, frozen=True):
    """The lease as the database has it, and how far the database's clock is from ours."""

    epoch: int
    last_seq: int
    backend_pid: int
    holder: str
    age_seconds: float
    clock_offset_seconds: float


ENSURE: Final = (
    "INSERT INTO matching_lease (shard, epoch, last_seq, holder, backend_pid, renewed_at)"
    " SELECT %s, 0, coalesce(max(last_seq), 0), '', 0, clock_timestamp()"
    " FROM matching_journal WHERE shard = %s ON CONFLICT (shard) DO NOTHING"
)

STATE: Final = (
    "SELECT epoch, last_seq, backend_pid, holder,"
    " extract(epoch FROM clock_timestamp() - renewed_at)::float8,"
    " extract(epoch FROM clock_timestamp())::float8"
    " FROM matching_lease WHERE shard = %s"
)

RAISE: Final = (
    "UPDATE matching_lease SET epoch = epoch + 1, holder = %s, backend_pid = pg_backend_pid(),"
    " renewed_at = clock_timestamp() WHERE shard = %s RETURNING epoch, last_seq"
)

RENEW: Final = (
    "UPDATE matching_lease SET renewed_at = clock_timestamp()"
    " WHERE shard = %s AND epoch = %s AND last_seq = %s"
)

HOLDER: Final = (
    "SELECT held.pid, extract(epoch FROM clock_timestamp() - session.state_change)::float8"
    " FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)"
    " WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 2"
    " AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND held.classid = %s AND held.objid = %s"
)

JOURNAL: Final = """
WITH lease AS (
    UPDATE matching_lease SET last_seq = $3::int8, renewed_at = clock_timestamp()
    WHERE shard = $1::int2 AND epoch = $4::int8 AND last_seq = $2::int8 - 1
    RETURNING shard
)
INSERT INTO matching_journal (
    shard, first_seq, last_seq, epoch, at_ns, stream_generation, last_entry_id, rules_version,
    commands, events, prev_hash, hash
)
SELECT shard, $2::int8, $3::int8, $4::int8, $5::int8, $6::int8, $7::varchar, $8::int4,
    $9::bytea, $10::bytea, $11::bytea, $12::bytea
FROM lease
"""
_STATEMENT: Final = b"journal"
_TEXT, _BINARY = 0, 1


def ensure_row(cursor: AnyCursor, *, shard: int) -> None:
    """Make the lease row of a shard, if this is its first start."""
    cursor.execute(ENSURE, (shard, shard))


def read_state(cursor: AnyCursor, *, shard: int) -> LeaseState:
    """Return the lease as it is; make it, where this is the shard's first start."""
    before = time.time()
    cursor.execute(STATE, (shard,))
    found = cursor.fetchone()
    if found is None:
        ensure_row(cursor, shard=shard)
        return read_state(cursor, shard=shard)
    epoch, last_seq, pid, holder, age_seconds, database_time = found
    # The database looked at its clock somewhere between our two looks at ours.
    offset = max(before - database_time, database_time - time.time(), 0.0)
    return LeaseState(epoch, last_seq, pid, holder, age_seconds, offset)


def try_take(connection: Connection, *, shard: int) -> Lease | None:
    """Take the lease if nobody has it, or if who has it does not keep it."""
    cursor = connection.cursor()
    state = read_state(cursor, shard=shard)
    if not _try_lock(cursor, shard):
        if state.age_seconds < TIMEOUT_SECONDS or not _end_holder(cursor, state, shard):
            return None
        if not _try_lock_for(cursor, shard, seconds=1.0):
            return None
    if state.clock_offset_seconds > CLOCK_OFFSET_SECONDS_MAX:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCK_CLASS, shard))
        logger.critical(
            "This machine's clock is %.1f s off the database's: it must not lead shard %d.",
            state.clock_offset_seconds, shard,
        )  # fmt: skip
        return None
    cursor.execute(RAISE, (f"{socket.gethostname()}:{os.getpid()}", shard))
    epoch, last_seq = cursor.fetchone() or (0, 0)
    return Lease(connection, shard=shard, epoch=epoch, last_seq=last_seq)


def _try_lock(cursor: AnyCursor, shard: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, shard))
    return bool(cursor.fetchone()[0])


def _try_lock_for(cursor: AnyCursor, shard: int, *, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if _try_lock(cursor, shard):
            return True
        time.sleep(0.01)
    return False


def _end_holder(cursor: AnyCursor, state: LeaseState, shard: int) -> bool:
    """End the session of a writer that no longer renews: a stopped process keeps its lock."""
    cursor.execute(HOLDER, (LOCK_CLASS, shard))
    found = cursor.fetchone()
    if found is None:
        return True
    pid, idle_seconds = found
    if pid != state.backend_pid and idle_seconds < UNNAMED_SECONDS:
        # It has just taken the lock; the lease still tells of the writer before it, which after
        # a long stop is old.
        return False
    logger.warning(
        "The writer of shard %d (epoch %d) has been silent for %.1f s: ending its session.",
        shard, state.epoch, state.age_seconds,
    )  # fmt: skip
    cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
    return True


class Lease:
    """The right to write one shard's journal, for as long as the connection lives."""

    def __init__(self, connection: Connection, *, shard: int, epoch: int, last_seq: int) -> None:
        self.shard = shard
        self.epoch = epoch
        self.last_seq = last_seq
        self.renewed_at = time.monotonic()
        self._connection = connection
        self._pg = connection.pgconn
        self._pending_seq = 0
        # The connection carries one thing at a time, and the keeper uses it too.
        self._using = threading.Lock()
        self._lost: Exception | None = None
        self._prepare()

    def renew(self) -> None:
        """Show that the writer lives, after the commit of the row on its way, if there is one."""
        with self._once_lost_always_lost():
            self._finish()
            cursor = self._connection.execute(RENEW, (self.shard, self.epoch, self.last_seq))
            if cursor.rowcount != 1:
                raise LeaseLost(f"Epoch {self.epoch} has ended.")
            self.renewed_at = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """Return how long ago the lease was renewed, by a row or without one."""
        return time.monotonic() - self.renewed_at

    def projected(self) -> tuple[int, int]:
        """Return how far the projections are: (seq, at_ns)."""
        with self._using:
            found = self._connection.execute(
                "SELECT seq, at_ns FROM matching_projection_offset WHERE shard = %s", (self.shard,)
            ).fetchone()
        return (0, 0) if found is None else (found[0], found[1])

    def begin(self, row: Row) -> None:
        """Start to journal a row; the next one can be worked out meanwhile."""
        values: list[tuple[bytes, int]] = [
            (str(value).encode(), _TEXT) if not isinstance(value, bytes) else (value, _BINARY)
            for value in (getattr(row, name) for name in Row.__struct_fields__)
        ]
        with self._once_lost_always_lost():
            self._pg.send_query_prepared(
                _STATEMENT, [value for value, _ in values], [kind for _, kind in values]
            )
            self._pending_seq = row.last_seq
            self._flush()

    def finish(self) -> None:
        """Return when the row that was begun, if one was, is committed; raise if it is not."""
        with self._once_lost_always_lost():
            self._finish()

    def write(self, row: Row) -> None:
        """Journal one row and return when it is committed."""
        self.begin(row)
        self.finish()

    @contextmanager
    def _once_lost_always_lost(self) -> Iterator[None]:
        # Writer and keeper share the connection: what one of them has lost the other must not
        # take for committed.
        with self._using:
            if self._lost is not None:
                raise self._lost
            try:
                yield
            except Exception as error:
                self._lost = error
                raise

    def _finish(self) -> None:
        if not self._pending_seq:
            return
        result = self._result()
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise LeaseLost(f"The journal did not take a row: {_words(result)}")
        if result.command_tuples != 1:
            raise LeaseLost(f"Epoch {self.epoch} has ended: {self._pending_seq} was refused.")
        self.last_seq = self._pending_seq
        self._pending_seq = 0
        self.renewed_at = time.monotonic()

    def _prepare(self) -> None:
        result = self._pg.prepare(_STATEMENT, JOURNAL.encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise LeaseLost(f"The journal cannot be written: {_words(result)}")

    def _flush(self) -> None:
        while self._pg.flush():
            # The server may want to be read before it reads on.
            readable, _, _ = select.select([self._pg.socket], [self._pg.socket], [], 1.0)
            if readable:
                self._pg.consume_input()

    def _result(self) -> Any:
        """Return the statement's result once it is committed, or what kept it from that.

        The server says how many rows there are before it commits. A commit that fails follows as
        another result, so there must be none: only the end of the answer is the commit.
        """
        give_up_at = time.monotonic() + COMMIT_SECONDS_MAX
        first = self._next_result(give_up_at)
        if first is None:
            raise psycopg.OperationalError("The database gave no result.")
        while (further := self._next_result(give_up_at)) is not None:
            if first.status == pq.ExecStatus.COMMAND_OK:
                first = further
        return first

    def _next_result(self, give_up_at: float) -> Any:
        while self._pg.is_busy():
            left_seconds = give_up_at - time.monotonic()
            if left_seconds <= 0:
                raise LeaseLost("The database does not answer.")
            select.select([self._pg.socket], [], [], left_seconds)
            self._pg.consume_input()
        return self._pg.get_result()


class Keeper:
    """Renews a lease while its writer is busy for long: a command may touch every order there is.

    Only for so long: a writer that makes no progress at all must lose its lease in the end.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._progress_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="matching-keeper", daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def progress(self) -> None:
        """Say that the writer is well; raise what has gone wrong with the lease meanwhile."""
        self._progress_at = time.monotonic()
        if self.error is not None:
            raise self.error

    def _keep(self) -> None:
        while not self._ended.wait(KEEPER_SECONDS):
            stuck = time.monotonic() - self._progress_at > STUCK_SECONDS
            if stuck or self._lease.age_seconds < KEEPER_AGE_SECONDS:
                continue
            try:
                self._lease.renew()
            except Exception as error:  # Raised by the writer's own thread, which then ends.
                self.error = error
                return


def _words(result: Any) -> str:
    message: bytes = result.error_message or b"no reason given"
    return message.decode(errors="replace").strip()


def write_row(cursor: AnyCursor, row: Row) -> None:
    """Journal a row in the caller's transaction, under the same guard. For ``inprocess``."""
    statement = JOURNAL
    names = list(Row.__struct_fields__)
    for number in range(len(names), 0, -1):
        statement = statement.replace(f"${number}::", f"%({names[number - 1]})s::")
    cursor.execute(statement, {name: getattr(row, name) for name in names})
    if cursor.rowcount != 1:
        raise LeaseLost(f"The lease does not allow epoch {row.epoch} to write {row.first_seq}.")
