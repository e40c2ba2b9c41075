"""Checks that everything agrees: journal, chain, replay, snapshots, ledger, projections.

Reads only. What it finds is said in words and is never mended here: a difference is for people.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction

from apps.engine.engine import Engine
from apps.engine.messages import EXTERNAL_ACCOUNT_ID
from apps.matching import projections, projector, replay, snapshots
from apps.matching.journal import AnyCursor, CorruptJournal, head

DIFFERENCES_SHOWN: Final = 20


@dataclass
class Report:
    """What was checked, and what did not agree."""

    checked: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def verify(*, shard: int, progress: Callable[[int], None] | None = None) -> Report:
    """Replay the journal from its first command and compare everything with it."""
    report = Report()
    with replay.young_collections_only(), transaction.atomic(), connection.cursor() as wrapper:
        cursor: Any = wrapper.cursor
        _see_one_moment(cursor)
        try:
            _check(cursor, shard, report, progress)
        except CorruptJournal as error:
            report.differences.append(str(error))
    return report


def _see_one_moment(cursor: AnyCursor) -> None:
    # Everything is read as of one moment, while trading goes on. Inside somebody's transaction
    # (a test's) it is too late to ask for that, and nobody else writes.
    if not connection.savepoint_ids:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    cursor.execute("SET LOCAL statement_timeout = 0")


def _check(
    cursor: AnyCursor, shard: int, report: Report, progress: Callable[[int], None] | None
) -> None:
    projected = projector.offset(cursor, shard=shard)
    last = head(cursor, shard=shard)
    last_seq = 0 if last is None else last.last_seq
    stored = {each.seq: each for each in snapshots.newest_first(cursor, shard=shard)}
    replayer = replay.Replayer()
    # Where a row must end: a long journal has too many to remember where each of them does.
    named = {projected, *stored}
    ends = {0}
    if projected == 0:
        _check_projections(replayer.engine, report)
    for row in replay.rows_after(replayer, cursor, shard=shard):
        replayer.apply(row)
        if row.last_seq in named:
            ends.add(row.last_seq)
        if row.last_seq in stored:
            _check_snapshot(stored[row.last_seq], replayer, report)
        if row.last_seq == projected:
            _check_projections(replayer.engine, report)
        if progress is not None:
            progress(row.last_seq)
    if replayer.engine.seq != last_seq:
        raise CorruptJournal(replayer.engine.seq + 1, f"the newest row ends at {last_seq}")
    report.checked.append(f"journal: {last_seq} commands, chain and replayed events")
    for seq in stored.keys() - ends:
        report.differences.append(f"snapshot {seq}: no journal row ends there")
    _check_offset(projected, last_seq, ends, report)
    _check_lease(cursor, shard, last_seq, report)
    _check_ledger(replayer.engine, report)
    report.checked.append(f"state hash at {last_seq}: {replayer.engine.state_hash()}")


def _check_offset(projected: int, last_seq: int, ends: set[int], report: Report) -> None:
    if projected > last_seq:
        report.differences.append(f"projections: at {projected}, the journal ends at {last_seq}")
    elif projected not in ends:
        report.differences.append(f"projections: at {projected}, where no journal row ends")
    elif projected < last_seq:
        report.checked.append(f"projections are {last_seq - projected} commands behind")


def _check_snapshot(
    stored: snapshots.StoredSnapshot, replayer: replay.Replayer, report: Report
) -> None:
    report.checked.append(f"snapshot {stored.seq}: bytes, state hash, journal row")
    if hashlib.sha256(stored.state).hexdigest() != stored.state_sha256:
        report.differences.append(f"snapshot {stored.seq}: its bytes have changed")
    if not snapshots.is_of(stored, replayer.engine):
        report.differences.append(f"snapshot {stored.seq}: replay gives another state")
    if stored.journal_hash != replayer.last_hash:
        report.differences.append(f"snapshot {stored.seq}: it names another journal row")


def _check_projections(engine: Engine, report: Report) -> None:
    for projection in projections.registered():
        tables = ", ".join(projection.tables)
        report.checked.append(f"projection {projection.name} at {engine.seq}: {tables}")
        found = projection.check(engine)
        report.differences.extend(f"projection {projection.name}: {words}" for words in found)


def _check_lease(cursor: AnyCursor, shard: int, last_seq: int, report: Report) -> None:
    cursor.execute("SELECT last_seq FROM matching_lease WHERE shard = %s", (shard,))
    found = cursor.fetchone()
    report.checked.append("lease: stands at the journal's end")
    if found is not None and found[0] != last_seq:
        report.differences.append(f"lease: at {found[0]}, the journal ends at {last_seq}")


def _check_ledger(engine: Engine, report: Report) -> None:
    sums: dict[int, int] = defaultdict(int)
    held: dict[tuple[int, int], int] = defaultdict(int)
    for account_id, asset_id, available, on_hold in engine.balances():
        sums[asset_id] += available + on_hold
        held[account_id, asset_id] += on_hold
        if account_id != EXTERNAL_ACCOUNT_ID and (available < 0 or on_hold < 0):
            report.differences.append(f"ledger: account {account_id}, asset {asset_id} is negative")
    report.checked.append(f"ledger: {len(sums)} assets sum to zero, nobody is below zero")
    for asset_id, total in sums.items():
        if total:
            report.differences.append(f"ledger: asset {asset_id} sums to {total}, not to zero")
