"""Monthly partitions: made once, ahead of time, and without losing a row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from apps.core import partitions
from apps.core.partitions import Partitioned, ensure_months, ensure_registered, month_start
from apps.core.tasks import make_partitions

TABLE = Partitioned("wallets_ledgerentry", "at")
FAR = datetime(2031, 12, 15, 8, 0, tzinfo=UTC)


def partition_of(number: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM wallets_ledgerentry WHERE id = %s", [number]
        )
        return str(cursor.fetchone()[0])


def put(number: int, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO wallets_ledgerentry (id, seq, event_index, account_id, asset_id,"
            " amount_minor, kind, reference, at) VALUES (%s, 1, 0, 5, 1, 1, 'trade', '', %s)",
            [number, at],
        )


@pytest.mark.parametrize(
    ("offset", "start"),
    [(0, (2031, 12)), (1, (2032, 1)), (13, (2033, 1)), (-1, (2031, 11)), (-12, (2030, 12))],
)
def test_months_are_counted_over_years(offset: int, start: tuple[int, int]) -> None:
    assert month_start(FAR, offset) == datetime(*start, 1, tzinfo=UTC)


@pytest.mark.breaks_ledger
@pytest.mark.django_db
def test_a_missing_month_is_made_and_takes_its_rows_out_of_the_default() -> None:
    put(1, datetime(2031, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    put(2, datetime(2032, 1, 1, tzinfo=UTC))
    put(3, datetime(2035, 1, 1, tzinfo=UTC))
    assert partition_of(1) == "wallets_ledgerentry_default"

    made = ensure_months(TABLE, FAR)
    again = ensure_months(TABLE, FAR)
    put(4, datetime(2032, 2, 29, tzinfo=UTC))

    assert made == [
        "wallets_ledgerentry_2031_11", "wallets_ledgerentry_2031_12",
        "wallets_ledgerentry_2032_01", "wallets_ledgerentry_2032_02",
    ]  # fmt: skip
    assert again == []
    assert [partition_of(number) for number in (1, 2, 3, 4)] == [
        "wallets_ledgerentry_2031_12", "wallets_ledgerentry_2032_01",
        "wallets_ledgerentry_default", "wallets_ledgerentry_2032_02",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_new_partition_has_every_index_of_its_table() -> None:
    ensure_months(Partitioned("trades_order", "created_at"), FAR)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE tablename = 'trades_order'),"
            " count(*) FILTER (WHERE tablename = 'trades_order_2031_12')"
            " FROM pg_indexes WHERE tablename IN ('trades_order', 'trades_order_2031_12')"
        )
        of_table, of_partition = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchone() == (0,)
    assert of_table == of_partition == 5


@pytest.mark.django_db
def test_the_migrations_made_the_present_months_and_the_task_finds_nothing_to_do() -> None:
    tables = {each.table for each in partitions.registered()}

    make_partitions()

    assert tables == {
        "markets_trade", "trades_fill", "trades_movement", "trades_order", "wallets_ledgerentry",
    }  # fmt: skip
    assert ensure_registered(datetime.now(UTC)) == []
