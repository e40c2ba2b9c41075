"""Purchases with exits, through the API: exact values."""

from __future__ import annotations

from typing import Any

import pytest

from apps.trades.models import Order
from tests.api.conftest import LIMIT, Person, code_of
from tests.api.placing import ORDERS, held_of, now_of, open_of, placed, posted
from tests.api.test_hostile_orders import ledger_hash

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_at_60000")]
BRACKET = {**LIMIT, "take_profit_price": "63000.00", "stop_loss_price": "58000.00"}


def test_a_purchase_that_rests_shows_its_exits_and_has_no_children_yet(ada: Person) -> None:
    order = placed(ada, **{**BRACKET, "price": "59000.00"})

    assert (order["take_profit_price"], order["stop_loss_price"]) == ("63000.00", "58000.00")
    assert order["stop_loss_limit_price"] is None
    assert (order["pair_order_id"], order["parent_order_id"]) == (None, None)
    assert [each["id"] for each in open_of(ada)] == [order["id"]]


def test_children_live_for_what_has_filled_and_grow(ada: Person, bob: Person) -> None:
    placed(bob, **{**LIMIT, "side": "sell", "quantity": "0.004"})

    parent = placed(ada, **{**BRACKET, "client_order_id": "entry"})

    assert (parent["status"], parent["filled_quantity"]) == ("partially_filled", "0.00400")
    _, profit, loss = open_of(ada)
    assert [(each["client_order_id"], each["type"], each["side"], each["quantity"])
            for each in (profit, loss)] == [
        ("entry-tp", "limit", "sell", "0.00400"),
        ("entry-sl", "stop", "sell", "0.00400"),
    ]  # fmt: skip
    assert (profit["price"], loss["stop_price"]) == ("63000.00", "58000.00")
    assert {profit["parent_order_id"], loss["parent_order_id"]} == {parent["id"]}
    assert (profit["pair_order_id"], loss["pair_order_id"]) == (loss["id"], profit["id"])

    placed(bob, **{**LIMIT, "side": "sell", "quantity": "0.006"})

    profit, loss = open_of(ada)
    assert [each["quantity"] for each in (profit, loss)] == ["0.01000", "0.01000"]
    assert now_of(ada, parent)["status"] == "filled"
    assert held_of(ada, "BTC") == "0.01000000"


def test_one_exit_alone_has_no_pair(ada: Person, bob: Person) -> None:
    placed(bob, **{**LIMIT, "side": "sell"})

    parent = placed(ada, **{**BRACKET, "take_profit_price": None, "client_order_id": "entry",
                             "stop_loss_limit_price": "57900.00"})  # fmt: skip

    (loss,) = open_of(ada)
    assert (loss["client_order_id"], loss["type"]) == ("entry-sl", "stop_limit")
    assert (loss["price"], loss["stop_price"]) == ("57900.00", "58000.00")
    assert (loss["pair_order_id"], loss["parent_order_id"]) == (None, parent["id"])


def test_the_profit_taken_ends_the_stop(ada: Person, bob: Person) -> None:
    placed(bob, **{**LIMIT, "side": "sell"})
    placed(ada, **BRACKET)
    profit, loss = open_of(ada)

    placed(bob, **{**LIMIT, "price": "63000.00"})

    assert now_of(ada, profit)["status"] == "filled"
    ended = now_of(ada, loss)
    assert (ended["status"], ended["reason"]) == ("cancelled", "pair")
    assert open_of(ada) == []


def test_children_are_amended_and_cancelled_like_a_pair(ada: Person, bob: Person) -> None:
    placed(bob, **{**LIMIT, "side": "sell"})
    placed(ada, **BRACKET)
    profit, loss = open_of(ada)

    moved = ada.client.patch(f"{ORDERS}/{profit['id']}", {"price": "64000.00"}).json()
    smaller = ada.client.patch(f"{ORDERS}/{loss['id']}", {"quantity": "0.005"})
    ended = ada.client.delete(f"{ORDERS}/{loss['id']}").json()

    assert (moved["price"], moved["parent_order_id"]) == ("64000.00", profit["parent_order_id"])
    assert code_of(smaller) == (422, "linked_order")
    assert (ended["status"], ended["reason"]) == ("cancelled", "user")
    assert now_of(ada, profit)["reason"] == "pair"


def test_a_batch_places_purchases_with_exits(ada: Person) -> None:
    orders = [
        {**BRACKET, "price": "59000.00"},
        {**BRACKET, "side": "sell"},
        {**BRACKET, "stop_loss_price": "60500.00"},
    ]

    items = ada.client.post(f"{ORDERS}/batch", {"orders": orders}).json()["items"]

    assert items[0]["order"]["take_profit_price"] == "63000.00"
    assert [item["error"] and item["error"]["code"] for item in items] == [
        None, "bracket_needs_buy", "invalid_bracket",
    ]  # fmt: skip


WRONG_BRACKETS: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"side": "sell"}, (400, "bracket_needs_buy"), "take_profit_price"),
    ({"take_profit_price": "60000.00"}, (422, "invalid_bracket"), ""),
    ({"take_profit_price": "59000.00"}, (422, "invalid_bracket"), ""),
    ({"stop_loss_price": "60000.00"}, (422, "invalid_bracket"), ""),
    ({"stop_loss_price": "61000.00"}, (422, "invalid_bracket"), ""),
    (
        {"take_profit_price": "58000.00", "stop_loss_price": "63000.00"},
        (422, "invalid_bracket"), "",
    ),
    (
        {"type": "market", "price": None, "take_profit_price": "59000.00"},
        (422, "invalid_bracket"), "",
    ),
    (
        {"type": "market", "price": None, "quantity": None, "quote_amount": "600"},
        (400, "bracket_not_allowed"), "take_profit_price",
    ),
    (
        {"type": "take_profit", "price": None, "stop_price": "59000.00"},
        (400, "bracket_not_allowed"), "take_profit_price",
    ),
    (
        {"type": "trailing_stop", "price": None, "trail_percent": "1"},
        (400, "bracket_not_allowed"), "take_profit_price",
    ),
    (
        {"stop_loss_price": None, "stop_loss_limit_price": "57000.00"},
        (400, "stop_loss_price_required"), "stop_loss_price",
    ),
    ({"take_profit_price": "63000.001"}, (400, "tick_size"), "take_profit_price"),
    ({"stop_loss_price": "58000.001"}, (400, "tick_size"), "stop_loss_price"),
    ({"stop_loss_limit_price": "57000.001"}, (400, "tick_size"), "stop_loss_limit_price"),
    ({"take_profit_price": 63000}, (400, "amount_must_be_string"), ""),
    ({"stop_loss_price": "0"}, (400, "invalid_amount"), ""),
    ({"stop_loss_limit_price": "9" * 5000}, (400, "invalid_amount"), ""),
    ({"client_order_id": "x" * 59}, (400, "invalid_client_order_id"), "client_order_id"),
]  # fmt: skip


def test_a_bracket_that_is_wrong_names_its_field_and_changes_nothing(ada: Person) -> None:
    before = ledger_hash()

    for changes, expected, field in WRONG_BRACKETS:
        response = ada.client.post(ORDERS, {**BRACKET, **changes})
        assert code_of(response) == expected, changes
        assert response.json().get("field", "") == field or not field, changes

    assert ledger_hash() == before


def test_ids_of_exits_are_the_purchases_own(ada: Person, bob: Person) -> None:
    placed(ada, **{**LIMIT, "price": "50000.00", "client_order_id": "a-sl"})
    taken = ada.client.post(ORDERS, {**BRACKET, "client_order_id": "a"})
    placed(ada, **{**BRACKET, "price": "59000.00", "client_order_id": "b"})
    reserved = ada.client.post(ORDERS, {**LIMIT, "client_order_id": "b-tp"})

    assert code_of(taken) == (409, "id_reused")
    assert code_of(reserved) == (409, "id_reused")
    assert posted(ada, ORDERS, {**BRACKET, "price": "59000.00", "client_order_id": "b"})["id"]
    assert Order.objects.filter(client_order_id__in=["a", "b"]).count() == 1
