"""Turning journal rows back into an engine: the one way in which state is ever rebuilt.

Used by the standby, recovery, snapshots, replicas, verify and the in-process gateway. Every row
is checked against the chain, and the events that come out are compared byte for byte with those
that were journaled. What does not agree stops the replay and names its seq.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from apps.engine.engine import Engine
from apps.engine.messages import AnyEvent
from apps.matching import servers, snapshots
from apps.matching.journal import (
    FIRST_ENTRY_ID,
    GENESIS_HASH,
    AnyCursor,
    CorruptJournal,
    Row,
    check_follows,
    encoder,
    row_of,
    tail,
)

SNAPSHOT_LOCK_CLASS: Final = 0x53554D32

# Young objects are looked at as ever; the whole heap never is.
GC_THRESHOLDS: Final = (50_000, 50, 1_000_000_000)


class Replayer:
    """An engine together with its place in the journal and in the stream."""

    def __init__(self, engine: Engine | None = None, last_hash: bytes = GENESIS_HASH) -> None:
        self.engine = Engine() if engine is None else engine
        self.last_hash = last_hash
        self.stream_generation = 0
        self.last_entry_id = FIRST_ENTRY_ID

    def apply(self, row: Row) -> list[list[list[AnyEvent]]]:
        """Carry out one more row; return its events per group and command."""
        check_follows(row, last_seq=self.engine.seq, last_hash=self.last_hash)
        apply = self.engine.apply
        outcome = [
            [apply(command, group.at_ns) for command in group.commands] for group in row.groups()
        ]
        if self.engine.seq != row.last_seq:
            raise CorruptJournal(row.first_seq, f"it holds commands up to {self.engine.seq}")
        encoded = encoder.encode(outcome)
        # Fields that were added to a message since are not in older rows: read, they have them.
        if encoded != row.events and encoded != encoder.encode(row.event_groups()):
            raise _first_difference(row, outcome)
        self.stood_at(row)
        return outcome

    def stood_at(self, row: Row) -> None:
        """Take over a row's place in chain and stream; the engine has carried it out."""
        self.last_hash = row.hash
        self.stream_generation = row.stream_generation
        self.last_entry_id = row.last_entry_id


def restore(cursor: AnyCursor, *, shard: int) -> Replayer:
    """Return the state of the newest good snapshot, or the state before the first command."""
    for snapshot in snapshots.newest_first(cursor, shard=shard):
        engine = snapshots.open_snapshot(snapshot)
        if engine is None:
            continue
        replayer = Replayer(engine, snapshot.journal_hash)
        row = row_of(cursor, snapshot.seq, shard=shard)
        if row is None or row.last_seq != snapshot.seq or row.hash != snapshot.journal_hash:
            snapshots.passed_over(snapshot, "the journal does not have its row")
            continue
        replayer.stood_at(row)
        return replayer
    return Replayer()


def catch_up(
    replayer: Replayer,
    cursor: AnyCursor,
    *,
    shard: int,
    until_seq: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Replayer:
    """Replay what the journal has beyond the replayer, up to ``until_seq`` or its present end."""
    with young_collections_only():
        for row in rows_after(replayer, cursor, shard=shard):
            if until_seq is not None and row.last_seq > until_seq:
                break
            replayer.apply(row)
            if progress is not None:
                progress(row.last_seq)
    return replayer


@contextmanager
def young_collections_only() -> Iterator[None]:
    """Spare a growing heap its full collections: neither engine nor projections make cycles."""
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def rows_after(replayer: Replayer, cursor: AnyCursor, *, shard: int) -> Iterator[Row]:
    """Yield the rows that the replayer has not carried out yet; it checks each as it does."""
    return tail(cursor, shard=shard, last_seq=replayer.engine.seq)


def recover(
    cursor: AnyCursor, *, shard: int, progress: Callable[[int], None] | None = None
) -> Replayer:
    """Return the present state: newest good snapshot and everything journaled since."""
    return catch_up(restore(cursor, shard=shard), cursor, shard=shard, progress=progress)


def take_snapshot(*, shard: int) -> int | None:
    """Carry the newest snapshot on to the journal's end and store that; return its seq.

    Nothing is stored when nothing has happened since, or while another process is at it.
    """
    with closing(servers.postgres(name="matching-snapshot", statement_seconds=60)) as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (SNAPSHOT_LOCK_CLASS, shard))
        if cursor.fetchone() != (True,):
            return None
        replayer = restore(cursor, shard=shard)
        from_seq = replayer.engine.seq
        catch_up(replayer, cursor, shard=shard)
        if replayer.engine.seq == from_seq:
            return None
        return snapshots.save(cursor, replayer.engine, shard=shard, journal_hash=replayer.last_hash)


def _first_difference(row: Row, outcome: list[list[list[AnyEvent]]]) -> CorruptJournal:
    replayed = [events for group in outcome for events in group]
    journaled = [events for group in row.event_groups() for events in group]
    for index, (ours, theirs) in enumerate(zip(replayed, journaled, strict=False)):
        if encoder.encode(ours) != encoder.encode(theirs):
            seq = row.first_seq + index
            return CorruptJournal(seq, f"replay gives {ours!r}, journaled is {theirs!r}")
    return CorruptJournal(row.first_seq, "replay gives other events than those journaled")
