"""Limits through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.trades.risk.queries import limits_of
from apps.trades.risk.rules import LimitSet
from tests.factories import Trader, trader

pytestmark = pytest.mark.django_db


def test_limits_through_the_api(ada: Trader, client: Client) -> None:
    client.force_login(ada.user)
    asked = {"max_daily_loss": "100", "max_drawdown_percent": "12.5", "max_open_orders": 7,
             "on_breach": "kill"}  # fmt: skip

    put = client.put("/api/v1/risk/limits", asked, content_type="application/json")
    found = client.get("/api/v1/risk/limits").json()

    assert put.status_code == 200, put.content
    assert found["own"] == {
        "max_open_orders": 7, "orders_per_second": None, "repeated_orders_per_second": None,
        "max_order_value": None, "max_daily_loss": "100.00", "max_drawdown_percent": "12.50",
        "on_breach": "kill",
    }  # fmt: skip
    assert found["effective"]["max_open_orders"] == 7
    assert (found["house"]["on_breach"], found["effective"]["on_breach"]) == ("reduce_only", "kill")
    assert found["standing"] == {"state": "normal", "applied": True, "restrictions": []}
    assert found["losses"]["day_loss"] == "0.00"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"max_open_orders": "7"}, "invalid_limit"), ({"max_open_orders": 0}, "invalid_limit"),
        ({"max_open_orders": True}, "invalid_limit"), ({"max_open_orders": 1.0}, "invalid_limit"),
        ({"max_daily_loss": "-1"}, "invalid_amount"), ({"max_daily_loss": "0"}, "invalid_amount"),
        ({"max_daily_loss": 5}, "amount_must_be_string"),
        ({"max_drawdown_percent": "100.01"}, "invalid_limit"),
        ({"max_drawdown_percent": "0.001"}, "precision"),
        ({"max_open_orders": 201}, "looser_than_house"),
        ({"leverage": 3}, "unknown_field"), ({"on_breach": "sell"}, "invalid_choice"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(
    ada: Trader, client: Client, body: dict[str, Any], code: str
) -> None:
    client.force_login(ada.user)

    said = client.put("/api/v1/risk/limits", body, content_type="application/json")

    assert said.status_code == 400
    assert said.json()["code"] == code
    assert limits_of(viewer=ada.user).own == LimitSet()


def test_the_account_of_another_is_not_found(ada: Trader, client: Client) -> None:
    client.force_login(trader().user)

    said = client.get(f"/api/v1/risk/limits?account={ada.account.public_id}")

    assert said.status_code == 404
