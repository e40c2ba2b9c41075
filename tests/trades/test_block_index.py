"""Legs are found by their block, whatever else people have ordered."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection

from apps.core.partitions import Partitioned, ensure_months

INDEX = "order_block"
FAR = datetime(2041, 5, 1, tzinfo=UTC)


def rows_of(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_each_partition_has_the_index_and_the_step_can_be_taken_again() -> None:
    migration = import_module("apps.trades.migrations.0010_order_block_index")
    editor = SimpleNamespace(connection=connection)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {INDEX}")
        cursor.execute(f"CREATE INDEX {INDEX} ON ONLY trades_order {migration.ON}")
    # A month begins between the two.
    (month,) = ensure_months(Partitioned("trades_order", "created_at"), FAR, behind=0, ahead=0)

    migration.make_index(None, editor)
    migration.make_index(None, editor)

    partitions = rows_of(
        "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'trades_order'::regclass"
    )
    found = rows_of(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_inherits JOIN pg_index ON"
        f" indexrelid = inhrelid WHERE inhparent = '{INDEX}'::regclass"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {month}")
    assert len(found) == len(partitions) > 1
    assert all(valid for _, valid in found)
