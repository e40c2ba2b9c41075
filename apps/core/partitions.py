"""Tables partitioned by month: keeps a partition ready for each month before it begins.

An app registers its partitioned tables when it is ready. Rows of a month without a partition are
not lost: they lie in the table's default partition until the month gets its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

MONTHS_BEHIND: Final = 1
MONTHS_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Partitioned:
    table: str
    column: str


_registered: dict[str, Partitioned] = {}


def register(table: str, column: str) -> None:
    """Name a table whose months are to be kept ready; its default is ``{table}_default``."""
    _registered[table] = Partitioned(table, column)


def registered() -> tuple[Partitioned, ...]:
    return tuple(_registered.values())


def ensure_registered(now: datetime) -> list[str]:
    """Make what is missing for every registered table; return the names of what was made."""
    return [name for table in registered() for name in ensure_months(table, now)]


def ensure_months(
    table: Partitioned,
    now: datetime,
    behind: int = MONTHS_BEHIND,
    ahead: int = MONTHS_AHEAD,
) -> list[str]:
    """Make the missing partitions from ``behind`` months before now to ``ahead`` after it."""
    made = []
    for offset in range(-behind, ahead + 1):
        start = month_start(now, offset)
        name = f"{table.table}_{start:%Y_%m}"
        with transaction.atomic(), connection.cursor() as cursor:
            # Two processes may start together: the second waits here and then finds it made.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table.table])
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                _make(cursor, table, name, start, month_start(now, offset + 1))
                made.append(name)
    return made


def ensure_index(cursor: CursorWrapper, table: str, name: str, on: str, ending: str) -> None:
    """Index a partitioned table, without a lock that its writer meets; it may be done again.

    ``on`` is columns and condition, ``ending`` that of the names of the partitions' own indexes.
    Whatever transaction there is must have ended before.
    """
    cursor.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON ONLY "{table}" {on}')
    # A partition that was made since has its index already, by another name.
    cursor.execute(
        """
        SELECT relname FROM pg_inherits AS month JOIN pg_class ON pg_class.oid = month.inhrelid
        WHERE month.inhparent = %s::regclass AND NOT EXISTS (
            SELECT FROM pg_index JOIN pg_inherits AS part ON part.inhrelid = indexrelid
            WHERE indrelid = month.inhrelid AND part.inhparent = %s::regclass)
        ORDER BY relname
        """,
        [table, name],
    )
    for (partition,) in cursor.fetchall():
        index = f"{partition}_{ending}"
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index]
        )
        if cursor.fetchone() == (False,):
            # What a run that was broken off has left.
            cursor.execute(f'DROP INDEX CONCURRENTLY "{index}"')
        cursor.execute(f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{index}" ON "{partition}" {on}')
        cursor.execute(f'ALTER INDEX "{name}" ATTACH PARTITION "{index}"')


def month_start(now: datetime, offset: int) -> datetime:
    """Return the first moment (UTC) of the month ``offset`` months after that of ``now``."""
    now = now.astimezone(UTC)
    months = now.year * 12 + now.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _make(
    cursor: CursorWrapper, table: Partitioned, name: str, start: datetime, end: datetime
) -> None:
    """Attach a new partition after moving into it what the default partition has of its month.

    PostgreSQL refuses a partition whose rows lie in the default one, so they are moved before.
    """
    cursor.execute(f'CREATE TABLE "{name}" (LIKE "{table.table}" INCLUDING ALL)')
    cursor.execute(
        f'WITH moved AS (DELETE FROM "{table.table}_default"'
        f' WHERE "{table.column}" >= %s AND "{table.column}" < %s RETURNING *)'
        f' INSERT INTO "{name}" SELECT * FROM moved',  # nosec B608  # ours
        [start, end],
    )
    cursor.execute(
        f'ALTER TABLE "{table.table}" ATTACH PARTITION "{name}" FOR VALUES'
        f" FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    )
