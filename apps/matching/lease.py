"""Who may write: the lease row, its epoch, and the one statement that journals.

Updating the lease and inserting the row is one statement, so a writer whose epoch or place is no
longer the lease's cannot add a row, however late it wakes up. Nothing here reconnects.
"""

from __future__ import annotations

from typing import Final

from apps.matching.journal import AnyCursor, Row


class LeaseLost(Exception):
    """Somebody else writes now. Whoever gets this must exit without another word."""


ENSURE: Final = (
    "INSERT INTO matching_lease (shard, epoch, last_seq, holder, backend_pid, renewed_at)"
    " SELECT %s, 0, coalesce(max(last_seq), 0), '', 0, clock_timestamp()"
    " FROM matching_journal WHERE shard = %s ON CONFLICT (shard) DO NOTHING"
)

JOURNAL: Final = """
WITH lease AS (
    UPDATE matching_lease SET last_seq = %(last_seq)s, renewed_at = clock_timestamp()
    WHERE shard = %(shard)s AND epoch = %(epoch)s AND last_seq = %(first_seq)s - 1
    RETURNING shard
)
INSERT INTO matching_journal (
    shard, first_seq, last_seq, epoch, at_ns, stream_generation, last_entry_id, rules_version,
    commands, events, prev_hash, hash
)
SELECT shard, %(first_seq)s, %(last_seq)s, %(epoch)s, %(at_ns)s, %(stream_generation)s,
    %(last_entry_id)s, %(rules_version)s, %(commands)s, %(events)s, %(prev_hash)s, %(hash)s
FROM lease
"""


def ensure_row(cursor: AnyCursor, *, shard: int) -> None:
    """Make the lease row of a shard, if this is its first start."""
    cursor.execute(ENSURE, (shard, shard))


def write_row(cursor: AnyCursor, row: Row) -> None:
    """Journal a row, if the lease still is where the writer believes it to be."""
    cursor.execute(JOURNAL, {name: getattr(row, name) for name in Row.__struct_fields__})
    if cursor.rowcount != 1:
        raise LeaseLost(f"The lease does not allow epoch {row.epoch} to write {row.first_seq}.")
