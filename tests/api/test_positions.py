"""Positions and lots over the API: exact figures, any moment of the past, and strangers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.core import clock
from apps.matching.queries import projected_seq
from tests.api.conftest import code_of
from tests.factories import Trader, house, listed, trader

pytestmark = pytest.mark.django_db
POSITIONS = "/api/v1/positions"
NOON = clock.parse_iso("2026-11-21T12:00:30Z")


@pytest.fixture
def day(engine_gateway: Any) -> Iterator[Trader]:
    """Ada buys 0.01 BTC at 60,000 and again at 62,000 a minute later; then half goes at 64,000."""
    with time_machine.travel(NOON, tick=False) as now:
        house()
        listed()
        ada, bob = trader(USDT="2000"), trader(USDT="10000", BTC="1")
        bob.sell("0.01", "60000")
        ada.buy("0.01", "60000")
        now.shift(timedelta(minutes=1))
        bob.sell("0.01", "62000")
        ada.buy("0.01", "62000")
        now.shift(timedelta(minutes=1))
        bob.buy("0.01", "64000")
        ada.sell("0.01", "64000")
        now.shift(timedelta(minutes=1))
        yield ada


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_position_says_what_it_cost_and_what_it_made(day: Trader) -> None:
    body = client_of(day.user).get(POSITIONS, {"min_seq": projected_seq()}).json()

    assert body == {
        "account": str(day.account.public_id),
        "value_asset": "USDT",
        "as_of": None,
        "totals": {
            "cost": "610.00", "value": "640.00", "unrealised": "30.00", "realised": "30.00",
            "fees": "1.86",
        },
        "items": [
            {
                "asset": "BTC", "quantity": "0.01000000", "average_cost": "61000.00",
                "cost": "610.00", "price": "64000.00", "value": "640.00", "unrealised": "30.00",
                "unrealised_percent": "4.92", "realised": "30.00", "fees": "1.86",
                "seq": projected_seq(), "at": "2026-11-21T12:02:30Z",
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "quantity", "cost", "price", "unrealised", "realised"),
    [
        (0, "0.01000000", "600.00", None, None, "0.00"),
        (0.6, "0.01000000", "600.00", "60000.00", "0.00", "0.00"),
        (1, "0.02000000", "1220.00", "60000.00", "-20.00", "0.00"),
        (1.9, "0.02000000", "1220.00", "62000.00", "20.00", "0.00"),
        (2, "0.01000000", "610.00", "62000.00", "10.00", "30.00"),
    ],
)
def test_positions_as_of_a_moment(
    day: Trader, minutes: float, quantity: str, cost: str, price: str, unrealised: str,
    realised: str,
) -> None:  # fmt: skip
    body = client_of(day.user).get(POSITIONS, {"as_of": clock.iso(at(minutes))}).json()

    (row,) = body["items"]
    assert (row["quantity"], row["cost"], row["price"], row["unrealised"], row["realised"]) == (
        quantity, cost, price, unrealised, realised,
    )  # fmt: skip
    assert body["as_of"] == clock.iso(at(minutes))


def test_before_the_first_movement_there_is_no_position(day: Trader) -> None:
    body = client_of(day.user).get(POSITIONS, {"as_of": clock.iso(at(-1))}).json()

    assert (body["items"], body["totals"]["cost"]) == ([], "0.00")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"as_of": "2026-11-21"}, 400, "invalid_time"),
        ({"as_of": "2026-11-21T12:00:00"}, 400, "invalid_time"),
        ({"as_of": "now"}, 400, "invalid_time"),
        ({"as_of": "2026-11-21T12:04:00Z"}, 400, "invalid_time"),
        ({"asof": "2026-11-21T12:00:00Z"}, 400, "unknown_parameter"),
        ({"account": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10"}, 404, "unknown_account"),
    ],
)
@pytest.mark.parametrize("path", [POSITIONS, f"{POSITIONS}/BTC/lots"])
def test_what_is_asked_wrongly_is_refused(
    day: Trader, path: str, query: dict[str, str], status: int, code: str
) -> None:
    assert code_of(client_of(day.user).get(path, query)) == (status, code)


def test_somebody_elses_account_is_as_if_it_were_not_there(day: Trader) -> None:
    query = {"account": str(day.account.public_id)}

    for path in (POSITIONS, f"{POSITIONS}/BTC/lots"):
        assert code_of(client_of(trader().user).get(path, query)) == (404, "unknown_account")


def test_lots_are_taken_from_the_oldest(day: Trader) -> None:
    client = client_of(day.user)

    before = client.get(f"{POSITIONS}/btc/lots", {"as_of": clock.iso(at(1))}).json()
    now = client.get(f"{POSITIONS}/BTC/lots").json()

    assert [(lot["quantity"], lot["cost"]) for lot in before["items"]] == [
        ("0.01000000", "600.00"),
        ("0.01000000", "620.00"),
    ]
    assert (now["realised"], now["count"]) == ("40.00", 1)
    (lot,) = now["items"]
    assert (lot["quantity"], lot["cost"], lot["unit_cost"], lot["at"]) == (
        "0.01000000", "620.00", "62000.00", "2026-11-21T12:01:30Z",
    )  # fmt: skip
    assert client.get(f"{POSITIONS}/ETH/lots").json()["items"] == []
    assert code_of(client.get(f"{POSITIONS}/NONE/lots")) == (404, "unknown_asset")


def test_an_asset_that_nobody_has_traded_has_no_price(engine_gateway: Any) -> None:
    house()
    listed()
    eve = trader(BTC="1")

    (row,) = client_of(eve.user).get(POSITIONS).json()["items"]

    assert (row["quantity"], row["average_cost"], row["price"]) == ("1.00000000", None, None)
    assert (row["value"], row["unrealised"], row["unrealised_percent"]) == (None, None, None)


def test_positions_ask_the_database_a_fixed_number_of_times(
    day: Trader, django_assert_max_num_queries: Any
) -> None:
    client = client_of(day.user)

    for query in ({}, {"as_of": clock.iso(at(1))}):
        with django_assert_max_num_queries(6):
            client.get(POSITIONS, query)
