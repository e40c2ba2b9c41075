"""The journal's rows: their bytes, their chain of hashes, and reading them back.

A row holds whole groups: what one stream entry brought, at one time. Nothing here writes, and
nothing here forgives: a row that does not follow from the one before it names its seq and stops.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from apps.engine.messages import AnyCommand, AnyEvent

GENESIS_HASH: Final = bytes(32)
FIRST_ENTRY_ID: Final = "0-0"

# How much of the journal is read at once: a bound on memory, whatever the rows hold.
READ_ROWS_MAX: Final = 200


_T = TypeVar("_T")


class AnyCursor(Protocol):
    """What psycopg's own cursors and Django's have in common."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, query: Any, params: Any = None, /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class CorruptJournal(Exception):
    """The journal does not hold together at ``seq``. Nobody may go on from here."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"The journal is corrupt at seq {seq}: {why}")
        self.seq = seq


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One command's outcome: every event that it caused, in order."""

    seq: int
    at_ns: int
    events: tuple[AnyEvent, ...]


class Batch(msgspec.Struct, frozen=True):
    """Committed entries without a gap between ``first_seq`` and ``last_seq``."""

    first_seq: int
    last_seq: int
    entries: list[Entry]


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Commands that came in one stream entry and share one time."""

    at_ns: int
    commands: list[AnyCommand]


class Row(msgspec.Struct, frozen=True):
    """One row as it is stored. ``commands`` and ``events`` are msgpack."""

    shard: int
    first_seq: int
    last_seq: int
    epoch: int
    at_ns: int
    stream_generation: int
    last_entry_id: str
    rules_version: int
    commands: bytes
    events: bytes
    prev_hash: bytes
    hash: bytes

    def groups(self) -> list[Group]:
        """Return the commands, or say that the row cannot be read."""
        return self._decode(_groups, self.commands, "commands")

    def event_groups(self) -> list[list[tuple[AnyEvent, ...]]]:
        """Return the events per group and command, or say that the row cannot be read."""
        return self._decode(_event_groups, self.events, "events")

    def batch(self) -> Batch:
        """Return what the row says has happened."""
        times = self._decode(_times, self.commands, "commands")
        return batch_of(self.first_seq, [time.at_ns for time in times], self.event_groups())

    def _decode(self, decoder: msgspec.msgpack.Decoder[_T], data: bytes, what: str) -> _T:
        try:
            return decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise CorruptJournal(self.first_seq, f"{what} cannot be read ({error})") from error


class _Time(msgspec.Struct, frozen=True, array_like=True):
    """The head of a group, read without its commands."""

    at_ns: int


COLUMNS: Final = ", ".join(Row.__struct_fields__)

encoder: Final = msgspec.msgpack.Encoder()
_groups: Final = msgspec.msgpack.Decoder(list[Group])
_event_groups: Final = msgspec.msgpack.Decoder(list[list[tuple[AnyEvent, ...]]])
_times: Final = msgspec.msgpack.Decoder(list[_Time])


def events_of(data: bytes) -> list[list[tuple[AnyEvent, ...]]]:
    """Return the events of a row, per group and command, without the rest of it."""
    return _event_groups.decode(data)


def batch_of(
    first_seq: int, times: Sequence[int], event_groups: Sequence[Sequence[tuple[AnyEvent, ...]]]
) -> Batch:
    """Number the events of each command, starting with ``first_seq``."""
    entries: list[Entry] = []
    seq = first_seq
    for at_ns, group in zip(times, event_groups, strict=True):
        for events in group:
            entries.append(Entry(seq, at_ns, events))
            seq += 1
    return Batch(first_seq, seq - 1, entries)


def row_hash(row: Row) -> bytes:
    """Return the hash that chains a row to the one before it: over every field but itself."""
    head = encoder.encode(
        (
            row.shard, row.first_seq, row.last_seq, row.epoch, row.at_ns, row.stream_generation,
            row.last_entry_id, row.rules_version, len(row.commands),
        )
    )  # fmt: skip
    digest = hashlib.sha256(row.prev_hash)
    digest.update(head)
    digest.update(row.commands)
    digest.update(row.events)
    return digest.digest()


def make_row(
    *,
    shard: int,
    first_seq: int,
    last_seq: int,
    epoch: int,
    at_ns: int,
    stream_generation: int,
    last_entry_id: str,
    rules_version: int,
    commands: bytes,
    events: bytes,
    prev_hash: bytes,
) -> Row:
    """Return the row with its hash."""
    row = Row(
        shard, first_seq, last_seq, epoch, at_ns, stream_generation, last_entry_id,
        rules_version, commands, events, prev_hash, b"",
    )  # fmt: skip
    return msgspec.structs.replace(row, hash=row_hash(row))


def check_follows(row: Row, *, last_seq: int, last_hash: bytes) -> None:
    """Refuse a row that is not the unchanged successor of ``last_seq``."""
    if row.first_seq != last_seq + 1:
        raise CorruptJournal(last_seq + 1, f"the next row starts at {row.first_seq}")
    if row.prev_hash != last_hash:
        raise CorruptJournal(row.first_seq, "it does not chain to the row before it")
    if row_hash(row) != row.hash:
        raise CorruptJournal(row.first_seq, "its hash does not fit its content")


def read_rows(
    cursor: AnyCursor, after_seq: int, *, shard: int, limit: int = READ_ROWS_MAX
) -> list[Row]:
    """Return the next rows after ``after_seq``, unchecked, oldest first."""
    cursor.execute(
        f"SELECT {COLUMNS} FROM matching_journal"
        " WHERE shard = %s AND last_seq > %s ORDER BY last_seq LIMIT %s",  # nosec B608  # ours
        (shard, after_seq, limit),
    )
    return [_row(values) for values in cursor.fetchall()]


def row_of(cursor: AnyCursor, seq: int, *, shard: int) -> Row | None:
    """Return the row that holds ``seq``, if it is committed."""
    rows = read_rows(cursor, seq - 1, shard=shard, limit=1)
    return rows[0] if rows and rows[0].first_seq <= seq else None


def entry_at(cursor: AnyCursor, seq: int, *, shard: int) -> Entry | None:
    """Return what the command ``seq`` caused, if it is committed."""
    row = row_of(cursor, seq, shard=shard)
    return None if row is None else row.batch().entries[seq - row.first_seq]


def head(cursor: AnyCursor, *, shard: int) -> Row | None:
    """Return the newest row."""
    cursor.execute(
        f"SELECT {COLUMNS} FROM matching_journal"  # nosec B608  # columns are a constant
        " WHERE shard = %s ORDER BY last_seq DESC LIMIT 1",
        (shard,),
    )
    values = cursor.fetchone()
    return None if values is None else _row(values)


def tail(cursor: AnyCursor, *, shard: int, last_seq: int = 0) -> Iterator[Row]:
    """Yield the rows after ``last_seq`` to the present end, unchecked, oldest first."""
    while rows := read_rows(cursor, last_seq, shard=shard):
        yield from rows
        last_seq = rows[-1].last_seq


def plain(values: Sequence[Any]) -> list[Any]:
    """Return the values with bytes where Django's connection hands out memoryviews."""
    return [bytes(value) if isinstance(value, memoryview) else value for value in values]


def _row(values: Sequence[Any]) -> Row:
    return Row(*plain(values))
