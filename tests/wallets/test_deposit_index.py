"""Deposits are found by their reference, whatever else an account has moved."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.partitions import Partitioned, ensure_months
from tests.factories import fund, trader

INDEX = "ledger_deposit_reference"


def indexes() -> dict[str, bool]:
    """Return for each partition's index whether it is valid."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text, indisvalid FROM pg_inherits"
            " JOIN pg_index ON indexrelid = inhrelid WHERE inhparent = to_regclass(%s)",
            [INDEX],
        )
        return dict(cursor.fetchall())


def partitions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'wallets_ledgerentry'::regclass"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_an_earlier_deposit_is_found_by_its_index(engine_gateway: object) -> None:
    ada = trader()
    with CaptureQueriesContext(connection) as asked:
        fund(ada.account, "USDT", "1")
    (query,) = {each["sql"] for each in asked if '"reference" =' in each["sql"]}

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert plan.count("deposit_reference") == plan.count("Scan") == partitions()


@pytest.mark.django_db(transaction=True)
def test_the_index_can_be_made_again_after_it_was_broken_off_and_new_months_have_it() -> None:
    migration = import_module("apps.wallets.migrations.0004_deposits_by_reference")
    editor = SimpleNamespace(connection=connection)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {INDEX}")
        cursor.execute(f"CREATE INDEX {INDEX} ON ONLY wallets_ledgerentry {migration.ON}")

    migration.make_index(None, editor)
    migration.make_index(None, editor)
    ensure_months(Partitioned("wallets_ledgerentry", "at"), clock.now(), ahead=4)

    found = indexes()
    assert len(found) == partitions()
    assert all(found.values())
