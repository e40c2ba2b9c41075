"""Hostile orders: each gets its exact answer, and nothing changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from django.db import connection

from tests.api.conftest import LIMIT, Person, code_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
ORDERS = "/api/v1/orders"


def ledger_hash() -> str:
    """Return a hash over everything that value is in."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table, order in (
            ("wallets_balance", "account_id, asset_id"),
            ("wallets_ledgerentry", "account_id, id"),
            ("trades_order", "account_id, id"),
            ("trades_fill", "account_id, id"),
            ("markets_trade", "id"),
        ):
            cursor.execute(f"SELECT * FROM {table} ORDER BY {order}")
            digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()


def _refused(person: Person, order: dict[str, Any]) -> tuple[int, str]:
    before = ledger_hash()
    response = person.client.post(ORDERS, order)
    assert ledger_hash() == before
    return code_of(response)


BAD_AMOUNTS = [
    "-1", "0", "-0", "0.00000000", "NaN", "sNaN", "Infinity", "-inf", "1e400", "1e-30", "1E+2",
    "+1", " 1 ", "1_000", "٣", "１", "", "1,5", "0x1", "01", ".5", "5.", "1\n", "8" * 19,
    str(2**63), str(2**70), "9" * 5000, "1.1234567890123456789", "null", "１.５", "1.0.0",
]  # fmt: skip


@pytest.mark.parametrize("field", ["quantity", "price"])
def test_a_string_that_is_no_amount(ada: Person, field: str) -> None:
    for amount in BAD_AMOUNTS:
        assert _refused(ada, {**LIMIT, field: amount}) == (400, "invalid_amount"), amount


@pytest.mark.parametrize("field", ["quantity", "price", "stop_price", "quote_amount"])
def test_an_amount_that_is_no_string(ada: Person, field: str) -> None:
    for amount in (0.1, 1, 0, -1, True, [], {}, ["1"], {"value": "1"}):
        answer = _refused(ada, {**LIMIT, field: amount})
        assert answer == (400, "amount_must_be_string"), amount


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000])
def test_a_number_that_json_does_not_have(ada: Person, literal: str) -> None:
    body = json.dumps(LIMIT).replace('"0.01"', literal)
    before = ledger_hash()

    response = ada.client.generic("POST", ORDERS, body, content_type="application/json")

    assert code_of(response) == (400, "parse_error")
    assert ledger_hash() == before


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"quantity": "0.000000001"}, "precision"),
    ({"price": "60000.000000001"}, "precision"),
    ({"quantity": "0.000001"}, "lot_size"),
    ({"quantity": "0.010001"}, "lot_size"),
    ({"price": "60000.001"}, "tick_size"),
    ({"price": "0.00000001"}, "tick_size"),
    ({"price": "100.00", "quantity": "0.00001"}, "notional"),
    ({"price": "40000000000.00", "quantity": "1000"}, "notional"),
    ({"price": "46116860184.00", "quantity": "1000"}, "notional"),
    ({"price": "99999999999999999"}, "invalid_amount"),
    ({"quantity": "999999999999"}, "invalid_amount"),
]


def test_an_amount_that_does_not_fit_the_market(ada: Person) -> None:
    for changes, code in UNFIT:
        assert _refused(ada, {**LIMIT, **changes}) == (400, code), changes


FORBIDDEN: list[tuple[dict[str, Any], str]] = [
    ({"quantity": "1000.00001"}, "max_quantity"),
    ({"price": "40000.00", "quantity": "1000"}, "max_notional"),
    ({"quantity": "100"}, "insufficient_funds"),
    ({"side": "sell", "quantity": "1.00001"}, "insufficient_funds"),
    ({"type": "market", "price": None}, "no_reference"),
]


def test_what_the_venue_forbids(ada: Person) -> None:
    for changes, code in FORBIDDEN:
        assert _refused(ada, {**LIMIT, **changes}) == (422, code), changes


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"side": "BUY"}, "invalid_choice"),
    ({"side": 1}, "invalid_choice"),
    ({"side": ["buy"]}, "invalid_choice"),
    ({"side": None}, "missing_field"),
    ({"type": "iceberg"}, "invalid_choice"),
    ({"time_in_force": "day"}, "invalid_choice"),
    ({"time_in_force": "gtd"}, "expires_at_required"),
    ({"time_in_force": "gtd", "expires_at": "2000-01-01T00:00:00Z"}, "expires_at_past"),
    ({"time_in_force": "gtd", "expires_at": "tomorrow"}, "invalid_time"),
    ({"time_in_force": "gtd", "expires_at": 1795262400}, "invalid_time"),
    ({"expires_at": "2100-01-01T00:00:00Z"}, "expires_at_not_allowed"),
    ({"post_only": "true"}, "invalid_boolean"),
    ({"post_only": 1}, "invalid_boolean"),
    ({"post_only": True, "time_in_force": "ioc"}, "post_only_not_allowed"),
    ({"self_trade_prevention": "none"}, "invalid_choice"),
    ({"price": None}, "price_required"),
    ({"quantity": None}, "quantity_or_quote_amount"),
    ({"quote_amount": "10"}, "quantity_or_quote_amount"),
    ({"quantity": None, "quote_amount": "10"}, "quote_amount_not_allowed"),
    ({"type": "market"}, "price_not_allowed"),
    ({"type": "stop", "price": None}, "stop_price_required"),
    ({"stop_price": "59000.00"}, "stop_price_not_allowed"),
    ({"client_order_id": ""}, "too_short"),
    ({"client_order_id": "x" * 65}, "invalid_text"),
    ({"client_order_id": "a b"}, "invalid_client_order_id"),
    ({"client_order_id": "a'; DROP TABLE trades_order; --"}, "invalid_client_order_id"),
    ({"client_order_id": "é"}, "invalid_client_order_id"),
    ({"client_order_id": "a\r\nX-Evil: 1"}, "control"),
    ({"client_order_id": 5}, "invalid_text"),
    ({"market": None}, "missing_field"),
    ({"market": 1}, "invalid_text"),
    ({"market": "x" * 26}, "invalid_text"),
    ({"account": "1"}, "invalid_id"),
    ({"account": 1}, "invalid_id"),
]


def test_a_field_that_is_wrong(ada: Person) -> None:
    for changes, code in WRONG_FIELDS:
        assert _refused(ada, {**LIMIT, **changes}) == (400, code), changes


def test_a_field_that_nobody_knows(ada: Person) -> None:
    for name in (
        "is_staff", "balance", "kyc_status", "role", "owner", "fee_tier", "leader_score", "status",
        "filled_quantity", "fee", "id", "account_id", "trade_group", "__class__", "maker_fee",
    ):  # fmt: skip
        assert _refused(ada, {**LIMIT, name: "1"}) == (400, "unknown_field"), name


def test_a_market_that_is_not_there(ada: Person) -> None:
    for market in (
        "NONE-USDT", "BTC", "BTC-USDT' OR 1=1 --", "../../etc", "%00", "{{7*7}}", "${jndi:x}", "é",
    ):  # fmt: skip
        assert _refused(ada, {**LIMIT, "market": market}) == (404, "unknown_market"), market


@pytest.mark.parametrize(
    ("quantity", "answer"),
    [
        ("0.004", (409, "amend_below_filled")),
        ("0.001", (409, "amend_below_filled")),
        ("-0.01", (400, "invalid_amount")),
        ("0", (400, "invalid_amount")),
        (0.01, (400, "amount_must_be_string")),
    ],
)
def test_row_19_amended_below_what_has_filled_or_below_nothing(
    ada: Person, bob: Person, quantity: Any, answer: tuple[int, str]
) -> None:
    order = ada.client.post(ORDERS, LIMIT).json()
    bob.client.post(ORDERS, {**LIMIT, "side": "sell", "quantity": "0.004"})
    before = ledger_hash()

    refused = ada.client.patch(f"{ORDERS}/{order['id']}", {"quantity": quantity})

    assert code_of(refused) == answer
    assert ledger_hash() == before


def test_more_open_orders_than_an_account_may_have(ada: Person, monkeypatch: Any) -> None:
    order = {**LIMIT, "quantity": "0.0001"}
    prices = iter(range(50_000, 60_000))
    for _ in range(2):
        batch = [{**order, "price": f"{next(prices)}.00"} for _ in range(100)]
        items = ada.client.post(f"{ORDERS}/batch", {"orders": batch}).json()["items"]
        assert all(item["order"] for item in items)
        _wait_a_second()

    assert _refused(ada, {**order, "price": f"{next(prices)}.00"}) == (422, "max_open_orders")


def test_the_same_order_too_often_in_a_second(ada: Person) -> None:
    batch = [{**LIMIT, "quantity": "0.0001"}] * 12

    items = ada.client.post(f"{ORDERS}/batch", {"orders": batch}).json()["items"]

    assert [item["error"] and item["error"]["code"] for item in items] == (
        [None] * 10 + ["repeated_order"] * 2
    )


def test_a_price_outside_the_band(ada: Person, bob: Person) -> None:
    bob.client.post(ORDERS, {**LIMIT, "side": "sell", "quantity": "0.001"})
    ada.client.post(ORDERS, {**LIMIT, "quantity": "0.001"})

    assert _refused(ada, {**LIMIT, "price": "66000.01"}) == (422, "price_collar")


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_order_that_is_not_there(ada: Person, method: str) -> None:
    for order_id in (
        "0", "-1", "999999999", "9" * 18, "9" * 30, "x", "1e3", "١", "%00", "1;2", "' OR 1=1", "é",
        "00000000-0000-4000-8000-000000000000",
    ):  # fmt: skip
        before = ledger_hash()
        response = getattr(ada.client, method)(f"{ORDERS}/{order_id}")
        assert code_of(response) == (404, "order_not_found"), order_id
        assert ledger_hash() == before


def test_text_of_a_refusal_says_what_is_missing(ada: Person) -> None:
    body = ada.client.post(ORDERS, {**LIMIT, "quantity": "3"}).json()

    assert body["code"] == "insufficient_funds"
    assert body["detail"].startswith("Your balance is too small: ")
    assert "100000.00 USDT available" in body["detail"]
    assert body["detail"].endswith("Nothing was ordered.")
    assert body["field"] == "quantity"


def _wait_a_second() -> None:
    """Let the engine's one-second limits begin anew."""
    import time

    time.sleep(1.1)
