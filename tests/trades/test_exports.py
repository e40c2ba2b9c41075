"""Fills and ledger as CSV: whole, one's own only, harmless in a spreadsheet, and one query long."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from apps.core.spreadsheet import safe_cell
from apps.trades.models import Fill
from apps.wallets.actions import deposit
from tests.factories import Trader, house, listed, trader

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(engine_gateway: Any) -> Trader:
    """Ada has bought 0.001 BTC at 60,000 three times."""
    house()
    listed()
    ada, bob = trader(USDT="1000"), trader(BTC="1")
    for _ in range(3):
        bob.sell("0.001", "60000")
        ada.buy("0.001", "60000")
    return ada


def rows_of(client: Client, path: str) -> list[list[str]]:
    response = client.get(path)
    assert response.status_code == 200
    return list(csv.reader(response.getvalue().decode().splitlines()))


def signed_in(who: Trader) -> Client:
    client = Client()
    client.force_login(who.user)
    return client


def test_fills_come_oldest_first_with_their_figures(ada: Trader) -> None:
    head, *rows = rows_of(signed_in(ada), "/orders/fills.csv")

    assert head == [
        "at", "market", "side", "role", "price", "quantity", "quote_amount", "fee", "fee_asset",
        "order_id", "trade_id",
    ]  # fmt: skip
    assert [row[1:9] for row in rows] == [
        ["BTC-USDT", "buy", "taker", "60000.00", "0.00100", "60.00", "0.06", "USDT"]
    ] * 3
    assert [int(row[10]) for row in rows] == [1, 2, 3]


def test_the_ledger_comes_with_its_signs(ada: Trader) -> None:
    _, *rows = rows_of(signed_in(ada), "/orders/ledger.csv")

    assert [row[1:5] for row in rows] == [
        ["USDT", "1000.00", "0.00", "deposit"],
        *[
            ["USDT", "-60.06", "0.06", "trade"],
            ["BTC", "0.00100000", "0.00000000", "trade"],
        ]
        * 3,
    ]


def test_a_reference_is_never_a_formula(ada: Trader) -> None:
    usdt = ada.account.balances.get(asset__code="USDT").asset
    deposit(account=ada.account, asset=usdt, amount_minor=1, reference='=HYPERLINK("x")')

    *_, last = rows_of(signed_in(ada), "/orders/ledger.csv")

    assert last[5] == '\'=HYPERLINK("x")'


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("-x", "'-x"),
        ("@a", "'@a"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-60.06", "-60.06"),
        ("-", "'-"),
        ("0.5", "0.5"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_cells_are_harmless(value: str, cell: str) -> None:
    assert safe_cell(value) == cell


def test_nobody_gets_the_rows_of_somebody_else(ada: Trader) -> None:
    stranger = signed_in(trader())

    assert len(rows_of(stranger, "/orders/fills.csv")) == 1
    assert len(rows_of(stranger, "/orders/ledger.csv")) == 1
    assert Client().get("/orders/fills.csv")["Location"].startswith("/accounts/login/")


def test_a_market_can_be_picked_and_must_exist(ada: Trader) -> None:
    listed("ETH-BTC")
    client = signed_in(ada)

    assert len(rows_of(client, "/orders/fills.csv?market=BTC-USDT")) == 4
    assert len(rows_of(client, "/orders/fills.csv?market=ETH-BTC")) == 1
    assert client.get("/orders/fills.csv?market=NO").status_code == 404


@pytest.mark.parametrize("path", ["/orders/orders.csv", "/orders/fills.csv", "/orders/ledger.csv"])
def test_the_file_is_one_query_however_long(
    ada: Trader, path: str, django_assert_num_queries: Any
) -> None:
    client = signed_in(ada)
    client.get(path).getvalue()

    # Session, person, account, and the rows.
    with django_assert_num_queries(4):
        client.get(path).getvalue()


def test_orders_come_as_a_file_with_what_the_list_was_filtered_by(ada: Trader) -> None:
    ada.buy("0.001", "50000", client_order_id="-mine")

    head, *rows = rows_of(signed_in(ada), "/orders/orders.csv?status=open&side=buy&type=limit")

    (row,) = [dict(zip(head, row, strict=True)) for row in rows]
    names = ("market", "status", "quantity", "quote_amount", "price", "average_price", "reason")
    assert [row[name] for name in names] == [
        "BTC-USDT", "open", "0.00100", "", "50000.00", "", "",
    ]  # fmt: skip
    assert row["client_order_id"] == "'-mine"
    assert len(rows_of(signed_in(ada), "/orders/orders.csv")) == 5


def test_days_are_those_of_the_readers_clock(ada: Trader) -> None:
    (first, *_) = Fill.objects.filter(account=ada.account).order_by("id")
    Fill.objects.filter(account=ada.account).exclude(id=first.id).delete()
    # Half past eleven in the evening in London is the next day in Berlin.
    Fill.objects.update(at=datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
    client = signed_in(ada)

    def found(query: str) -> int:
        return len(rows_of(client, f"/orders/fills.csv?{query}")) - 1

    assert found("from=2026-01-31&to=2026-01-31") == 1
    assert found("from=2026-01-31&to=2026-01-31&zone=Europe/Berlin") == 0
    assert found("from=2026-02-01&to=2026-02-01&zone=Europe/Berlin") == 1
    assert found("from=2026-02-01&zone=No/Where") == 0


@pytest.mark.parametrize(
    "query", ["from=31.1.2026", "to=0001-01-01", "side=long", "status=gone", "type=iceberg"]
)
def test_a_filter_that_is_none_is_refused_before_the_file_begins(ada: Trader, query: str) -> None:
    client = signed_in(ada)

    assert client.get(f"/orders/orders.csv?{query}").status_code == 400
    assert client.get(f"/orders?{query}").status_code == 400
