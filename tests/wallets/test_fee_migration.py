"""Ledgers made when a fee was an entry of its own, brought to where it is inside its leg."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from apps.wallets.models import LedgerEntry
from tests.factories import Trader, trader

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_ledger]

FORMER = ("wallets", "0002_people_from_1000")
PRESENT = ("wallets", "0003_fee_inside_its_leg")
COLUMNS = "id, seq, event_index, account_id, asset_id, amount_minor, kind, reference, at"


def migrate_to(target: tuple[str, str]) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([target])


@pytest.fixture
def former() -> Iterator[Trader]:
    """A person with a deposit, and the tables as they were."""
    ada = trader("Ada")
    migrate_to(FORMER)
    yield ada
    migrate_to(PRESENT)


def put(number: int, amount_minor: int, at: str, more: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO wallets_ledgerentry ({COLUMNS}{', fee_minor' if more else ''})"
            f" VALUES (%s, 1, 0, 1000, 1, %s, 'fee', '', %s{more})",
            [number, amount_minor, at],
        )


def constraint() -> list[tuple[str, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid), convalidated FROM pg_constraint"
            " WHERE conname = 'ledger_entry_moves_something' GROUP BY 1, 2"
        )
        return [(str(row[0]), bool(row[1])) for row in cursor.fetchall()]


def test_former_entries_stay_and_are_marked_to_be_written_again(former: Trader) -> None:
    put(1, -7, "2026-11-21T12:00:00Z")
    put(2, -8, "1999-01-01T00:00:00Z")

    migrate_to(PRESENT)

    kept = LedgerEntry.objects.filter(id__in=[1, 2]).order_by("id")
    assert [(row.amount_minor, row.fee_minor) for row in kept] == [(-7, 0), (-8, 0)]
    ((words, valid),) = constraint()
    assert "fee_minor > 0" in words
    assert valid
    with connection.cursor() as cursor:
        cursor.execute("SELECT versions::text FROM matching_projection_offset")
        assert cursor.fetchall() == [("{}",)]


def test_only_an_entry_that_says_something_is_taken(former: Trader) -> None:
    migrate_to(PRESENT)

    put(1, 0, "2026-11-21T12:00:00Z", ", 1")
    put(2, 5, "1999-01-01T00:00:00Z")
    for more in (", 0", ", -1"):
        with pytest.raises(IntegrityError), transaction.atomic():
            put(3, 0, "2026-11-21T12:00:00Z", more)
    with pytest.raises(IntegrityError), transaction.atomic():
        put(3, 5, "1999-01-01T00:00:00Z", ", -1")


def test_it_can_be_taken_back_whatever_has_been_written(former: Trader) -> None:
    migrate_to(PRESENT)
    put(1, 0, "2026-11-21T12:00:00Z", ", 1")

    migrate_to(FORMER)

    ((words, valid),) = constraint()
    assert words == "CHECK ((amount_minor <> 0))"
    assert valid
    put(2, 3, "2026-11-21T12:00:00Z")
    with pytest.raises(IntegrityError), transaction.atomic():
        put(3, 0, "2026-11-21T12:00:00Z")
    migrate_to(PRESENT)
    assert constraint()[0][1]
    assert list(LedgerEntry.objects.filter(seq=1).values_list("id", "fee_minor")) == [(2, 0)]
