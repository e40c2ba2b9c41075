"""Legs are found by their block, whatever else people have ordered."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection

INDEX = "order_block"


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

    migration.make_index(None, editor)
    migration.make_index(None, editor)

    partitions = rows_of(
        "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'trades_order'::regclass"
    )
    found = rows_of(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_inherits JOIN pg_index ON"
        f" indexrelid = inhrelid WHERE inhparent = '{INDEX}'::regclass"
    )
    assert len(found) == len(partitions) > 1
    assert all(valid for _, valid in found)
