"""Snapshots of the engine's state: stored with two hashes, passed over when either is wrong.

Only a replayer makes one, never the writer: taking it would stop trading for as long as it
takes. A snapshot saves time and nothing else; without any, the journal alone gives the state.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from apps.engine.engine import Engine
from apps.matching import failpoints
from apps.matching.journal import AnyCursor, plain

logger = logging.getLogger(__name__)

KEPT: Final = 5


class StoredSnapshot(msgspec.Struct, frozen=True):
    """One snapshot as it is stored."""

    seq: int
    state: bytes
    state_sha256: str
    state_hash: str
    journal_hash: bytes


def newest_first(cursor: AnyCursor, *, shard: int) -> Iterator[StoredSnapshot]:
    """Yield the snapshots of a shard, newest first, one at a time."""
    cursor.execute("SELECT seq FROM matching_snapshot WHERE shard = %s ORDER BY seq DESC", (shard,))
    for (seq,) in cursor.fetchall():
        cursor.execute(
            "SELECT seq, state, state_sha256, state_hash, journal_hash FROM matching_snapshot"
            " WHERE shard = %s AND seq = %s",
            (shard, seq),
        )
        values = cursor.fetchone()
        if values is not None:
            yield StoredSnapshot(*plain(values))


def open_snapshot(snapshot: StoredSnapshot) -> Engine | None:
    """Return the engine a snapshot holds, or None, loudly, when it is not what was stored."""
    if hashlib.sha256(snapshot.state).hexdigest() != snapshot.state_sha256:
        passed_over(snapshot, "its bytes have changed")
        return None
    try:
        engine = Engine.restore(snapshot.state)
    except Exception as error:  # Whatever is wrong with it, the journal is there.
        passed_over(snapshot, f"it cannot be read: {error!r}")
        return None
    if engine.seq != snapshot.seq or not is_of(snapshot, engine):
        passed_over(snapshot, "it does not restore to the state it was taken of")
        return None
    return engine


def is_of(snapshot: StoredSnapshot, engine: Engine) -> bool:
    """Say whether a snapshot holds the state of an engine.

    One of an earlier release lacks the fields that states have had since. They are appended, and
    their defaults mean "as before": else each update would replay the whole journal.
    """
    if engine.state_hash() == snapshot.state_hash:
        return True
    if hashlib.sha256(snapshot.state).hexdigest() != snapshot.state_hash:
        return False
    try:
        stored = msgspec.msgpack.decode(snapshot.state)
    except msgspec.DecodeError:
        return False
    return _only_grew(stored, msgspec.msgpack.decode(engine.snapshot()))


def _only_grew(before: object, after: object) -> bool:
    """Say whether two states differ only in appended fields that say nothing."""
    if isinstance(before, list) and isinstance(after, list):
        return (
            len(before) <= len(after)
            and not any(after[len(before) :])
            and all(map(_only_grew, before, after))
        )
    return type(before) is type(after) and before == after


def passed_over(snapshot: StoredSnapshot, why: str) -> None:
    """Say that a snapshot cannot be used."""
    logger.critical("Snapshot at seq %d is passed over: %s.", snapshot.seq, why)


def save(cursor: Any, engine: Engine, *, shard: int, journal_hash: bytes) -> int:
    """Store the engine's present state, keep the last few snapshots, return its seq."""
    state = engine.snapshot()
    cursor.execute(
        "INSERT INTO matching_snapshot (shard, seq, at_ns, rules_version, state, state_sha256,"
        " state_hash, journal_hash, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())"
        " ON CONFLICT (shard, seq) DO UPDATE SET state = excluded.state,"
        " state_sha256 = excluded.state_sha256, state_hash = excluded.state_hash,"
        " journal_hash = excluded.journal_hash, created_at = excluded.created_at",
        (
            shard, engine.seq, engine.now_ns, engine.rules_version, state,
            hashlib.sha256(state).hexdigest(), engine.state_hash(), journal_hash,
        ),
    )  # fmt: skip
    failpoints.reach(failpoints.MID_SNAPSHOT)
    cursor.execute(
        "DELETE FROM matching_snapshot WHERE shard = %s AND seq NOT IN"
        " (SELECT seq FROM matching_snapshot WHERE shard = %s ORDER BY seq DESC LIMIT %s)",
        (shard, shard, KEPT),
    )
    return engine.seq
