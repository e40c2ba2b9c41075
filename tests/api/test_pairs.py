"""Two orders of which one fills, through the API: exact values."""

from __future__ import annotations

from typing import Any

import pytest

from apps.markets import queries as market_queries
from apps.wallets.models import TradingAccount
from tests.api.conftest import LIMIT, Person, code_of
from tests.api.placing import ORDERS, held_of, now_of, open_of, placed, posted
from tests.api.test_hostile_orders import BAD_AMOUNTS, ledger_hash

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_at_60000")]
PAIRS = "/api/v1/orders/pair"
PAIR = {
    "market": "BTC-USDT",
    "side": "sell",
    "quantity": "0.01",
    "price": "63000.00",
    "stop_price": "58000.00",
}


def _paired(person: Person, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = posted(person, PAIRS, {**PAIR, **changes})["orders"]
    return first, second


def test_a_pair_is_two_orders_that_hold_once(ada: Person) -> None:
    limit, stop = _paired(ada, client_order_id="mine")

    shown = ("client_order_id", "type", "side", "status", "quantity", "price", "stop_price")
    assert [limit[name] for name in shown] == [
        "mine", "limit", "sell", "open", "0.01000", "63000.00", None,
    ]  # fmt: skip
    assert [stop[name] for name in shown] == [
        "mine-stop", "stop", "sell", "open", "0.01000", None, "58000.00",
    ]  # fmt: skip
    assert (limit["pair_order_id"], stop["pair_order_id"]) == (stop["id"], limit["id"])
    assert (limit["parent_order_id"], stop["parent_order_id"]) == (None, None)
    assert (limit["post_only"], stop["post_only"]) == (True, False)
    assert held_of(ada, "BTC") == "0.01000000"
    assert [now_of(ada, limit), now_of(ada, stop)] == [limit, stop]


def test_the_stop_of_a_pair_may_have_a_limit_or_trail(ada: Person) -> None:
    _, limited = _paired(ada, stop_limit_price="57900.00")
    _, trailing = _paired(ada, stop_price=None, trail_amount="500.00")
    _, by_percent = _paired(ada, stop_price=None, trail_percent="1.5")

    assert (limited["type"], limited["price"]) == ("stop_limit", "57900.00")
    assert (trailing["type"], trailing["trail_amount"]) == ("trailing_stop", "500.00")
    assert (by_percent["type"], by_percent["trail_percent"]) == ("trailing_stop", "1.5")
    assert held_of(ada, "BTC") == "0.03000000"


def test_a_pair_that_buys_holds_what_the_dearer_of_them_may_cost(ada: Person) -> None:
    _paired(ada, side="buy", price="58000.00", stop_price="62000.00", stop_limit_price="62500.00")

    # 0.01 at 62,500 and the taker's 0.1 % of that, and one minor unit for rounding.
    assert held_of(ada, "USDT") == "625.62500001"


def test_what_fills_of_one_comes_off_the_other(ada: Person, bob: Person) -> None:
    limit, stop = _paired(ada)

    placed(bob, **{**LIMIT, "price": "63000.00", "quantity": "0.004"})

    limit, stop = now_of(ada, limit), now_of(ada, stop)
    assert (limit["status"], limit["filled_quantity"]) == ("partially_filled", "0.00400")
    assert (stop["status"], stop["quantity"]) == ("open", "0.00600")
    assert held_of(ada, "BTC") == "0.00600000"

    placed(bob, **{**LIMIT, "price": "63000.00", "quantity": "0.006"})

    limit, stop = now_of(ada, limit), now_of(ada, stop)
    assert (limit["status"], limit["filled_quantity"]) == ("filled", "0.01000")
    assert (stop["status"], stop["reason"]) == ("cancelled", "pair")
    assert held_of(ada, "BTC") == "0.00000000"


def test_a_stop_that_wakes_takes_the_hold_and_ends_the_limit(ada: Person, bob: Person) -> None:
    limit, stop = _paired(ada)
    placed(bob, **{**LIMIT, "price": "58000.00", "quantity": "0.02"})

    # At 58,000 the stop wakes, and sells to the rest of the same bid.
    placed(ada, **{**LIMIT, "side": "sell", "price": "58000.00", "quantity": "0.005"})

    limit, stop = now_of(ada, limit), now_of(ada, stop)
    assert (limit["status"], limit["reason"]) == ("cancelled", "pair")
    assert (stop["status"], stop["average_price"]) == ("filled", "58000.00")
    assert held_of(ada, "BTC") == "0.00000000"


@pytest.mark.parametrize("ended", [0, 1])
def test_cancelling_one_ends_both(ada: Person, ended: int) -> None:
    pair = _paired(ada)

    cancelled = ada.client.delete(f"{ORDERS}/{pair[ended]['id']}").json()

    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "user")
    other = now_of(ada, pair[1 - ended])
    assert (other["status"], other["reason"]) == ("cancelled", "pair")
    assert held_of(ada, "BTC") == "0.00000000"
    again = ada.client.delete(f"{ORDERS}/{other['id']}")
    assert code_of(again) == (409, "order_closed")


def test_cancelling_all_names_both_orders(ada: Person) -> None:
    limit, stop = _paired(ada)

    cancelled = ada.client.delete(ORDERS).json()["cancelled"]

    assert sorted(cancelled, key=int) == [limit["id"], stop["id"]]
    assert open_of(ada) == []


def test_of_linked_orders_only_prices_change(ada: Person) -> None:
    limit, stop = _paired(ada)

    moved = ada.client.patch(f"{ORDERS}/{limit['id']}", {"price": "63500.00"}).json()
    woken = ada.client.patch(f"{ORDERS}/{stop['id']}", {"stop_price": "57500.00"}).json()

    assert (moved["price"], woken["stop_price"]) == ("63500.00", "57500.00")
    assert moved["pair_order_id"] == woken["id"]
    before = ledger_hash()
    for order in (limit, stop):
        path = f"{ORDERS}/{order['id']}"
        smaller = ada.client.patch(path, {"quantity": "0.005"})
        replaced = ada.client.post(f"{path}/replace", {**LIMIT, "side": "sell", "price": "62000"})
        assert code_of(smaller) == (422, "linked_order")
        assert code_of(replaced) == (422, "linked_order")
        assert smaller.json()["detail"].endswith("Your order is as it was.")
        assert replaced.json()["detail"].endswith("Your order is as it was.")
    assert ledger_hash() == before


def test_the_same_pair_is_placed_once(ada: Person) -> None:
    body = {**PAIR, "client_order_id": "mine"}

    first = posted(ada, PAIRS, body)
    again = posted(ada, PAIRS, body)
    keyed = posted(ada, PAIRS, PAIR, HTTP_IDEMPOTENCY_KEY="key-1")
    replayed = ada.client.post(PAIRS, PAIR, HTTP_IDEMPOTENCY_KEY="key-1")
    other = ada.client.post(PAIRS, {**PAIR, "price": "64000.00"}, HTTP_IDEMPOTENCY_KEY="key-1")

    assert again == first
    assert (replayed.status_code, replayed["Idempotency-Replayed"]) == (201, "true")
    assert replayed.json() == keyed
    assert code_of(other) == (409, "idempotency_mismatch")
    assert len(open_of(ada)) == 4


def test_the_same_pair_is_known_after_parts_of_it_have_filled(ada: Person, bob: Person) -> None:
    body = {**PAIR, "client_order_id": "mine"}
    posted(ada, PAIRS, body)
    placed(bob, **{**LIMIT, "price": "63000.00", "quantity": "0.004"})

    limit, stop = posted(ada, PAIRS, body)["orders"]

    assert (limit["filled_quantity"], stop["quantity"]) == ("0.00400", "0.00600")
    assert len(open_of(ada)) == 2


def test_an_id_stands_for_one_thing(ada: Person) -> None:
    posted(ada, PAIRS, {**PAIR, "client_order_id": "pair"})
    placed(ada, **{**LIMIT, "price": "59000.00", "client_order_id": "plain"})
    placed(ada, **{**LIMIT, "price": "59000.00", "client_order_id": "taken-stop"})
    limit_of_pair = {
        "market": "BTC-USDT", "side": "sell", "type": "limit", "quantity": "0.01",
        "price": "63000.00", "post_only": True,
    }  # fmt: skip
    stop_of_pair = {**limit_of_pair, "type": "stop", "price": None, "stop_price": "58000.00",
                    "post_only": False}  # fmt: skip
    before = ledger_hash()

    for path, body, name in (
        (PAIRS, {**PAIR, "price": "64000.00"}, "pair"),
        (PAIRS, PAIR, "plain"),
        (PAIRS, PAIR, "taken"),
        (PAIRS, PAIR, "pair-stop"),
        (ORDERS, limit_of_pair, "pair"),
        (ORDERS, stop_of_pair, "pair-stop"),
    ):
        refused = ada.client.post(path, {**body, "client_order_id": name})
        assert code_of(refused) == (409, "id_reused"), name
    assert ledger_hash() == before


WRONG_PAIRS: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"price": "57000.00"}, (422, "invalid_pair"), "price"),
    ({"price": "58000.00"}, (422, "invalid_pair"), "price"),
    ({"stop_price": "60000.00"}, (422, "would_trigger"), "stop_price"),
    ({"stop_price": "61000.00"}, (422, "would_trigger"), "stop_price"),
    ({"side": "buy"}, (422, "would_trigger"), "stop_price"),
    ({"quantity": "1.1"}, (422, "insufficient_funds"), "quantity"),
    ({"quantity": "0.00001"}, (400, "notional"), "quantity"),
    ({"quantity": "1000.00001"}, (422, "max_quantity"), "quantity"),
    ({"price": "63000.001"}, (400, "tick_size"), "price"),
    ({"stop_price": "58000.001"}, (400, "tick_size"), "stop_price"),
    ({"stop_limit_price": "57900.001"}, (400, "tick_size"), "stop_limit_price"),
    ({"stop_limit_price": "57900.000000001"}, (400, "precision"), "stop_limit_price"),
    ({"quantity": "0.010001"}, (400, "lot_size"), "quantity"),
    ({"price": "46116860184.00", "quantity": "1000"}, (400, "notional"), "quantity"),
    ({"price": None}, (400, "missing_field"), ""),
    ({"quantity": None}, (400, "missing_field"), ""),
    ({"stop_price": None}, (400, "stop_price_required"), "stop_price"),
    ({"trail_amount": "1.00", "trail_percent": "1"}, (400, "trail_required"), "trail_amount"),
    ({"trail_percent": "50.01"}, (400, "invalid_trail"), "trail_percent"),
    ({"trail_amount": "1.001"}, (400, "tick_size"), "trail_amount"),
    (
        {"trail_percent": "1", "stop_limit_price": "57900.00"},
        (400, "stop_limit_price_not_allowed"), "stop_limit_price",
    ),
    ({"time_in_force": "ioc"}, (400, "invalid_time_in_force"), "time_in_force"),
    ({"time_in_force": "fok"}, (400, "invalid_time_in_force"), "time_in_force"),
    ({"time_in_force": "day"}, (400, "invalid_choice"), ""),
    ({"time_in_force": "gtd"}, (400, "expires_at_required"), "expires_at"),
    ({"expires_at": "2100-01-01T00:00:00Z"}, (400, "expires_at_not_allowed"), "expires_at"),
    ({"side": "both"}, (400, "invalid_choice"), ""),
    ({"market": "NONE-USDT"}, (404, "unknown_market"), ""),
    ({"client_order_id": "x" * 59}, (400, "invalid_text"), ""),
    ({"client_order_id": "a b"}, (400, "invalid_client_order_id"), "client_order_id"),
    ({"client_order_id": ""}, (400, "too_short"), ""),
    ({"client_order_id": 5}, (400, "invalid_text"), ""),
]  # fmt: skip


def test_a_pair_that_is_wrong_names_its_field_and_changes_nothing(ada: Person) -> None:
    before = ledger_hash()

    for changes, expected, field in WRONG_PAIRS:
        response = ada.client.post(PAIRS, {**PAIR, **changes})
        assert code_of(response) == expected, changes
        assert response.json().get("field", "") == field or not field, changes
        if field:
            assert response.json()["detail"].endswith("Nothing was ordered."), changes

    assert ledger_hash() == before


def test_a_limit_that_would_trade_at_once_is_no_pair(ada: Person, bob: Person) -> None:
    placed(bob, **{**LIMIT, "price": "60000.00"})

    response = ada.client.post(PAIRS, {**PAIR, "price": "60000.00"})

    assert code_of(response) == (422, "invalid_pair")
    assert response.json()["field"] == "price"


@pytest.mark.parametrize("field", ["quantity", "price", "stop_price", "stop_limit_price"])
def test_amounts_of_a_pair_are_strings_of_digits(ada: Person, field: str) -> None:
    before = ledger_hash()

    for text in BAD_AMOUNTS:
        response = ada.client.post(PAIRS, {**PAIR, field: text})
        assert code_of(response) == (400, "invalid_amount"), text
    wrong: list[Any] = [0.1, 1, True, [], {}, ["1"]]
    for amount in wrong:
        response = ada.client.post(PAIRS, {**PAIR, field: amount})
        assert code_of(response) == (400, "amount_must_be_string"), amount

    assert ledger_hash() == before


def test_a_pair_has_no_other_fields(ada: Person) -> None:
    for name in ("type", "post_only", "quote_amount", "display_quantity", "take_profit_price",
                 "pair_order_id", "parent_order_id", "status", "stop"):  # fmt: skip
        response = ada.client.post(PAIRS, {**PAIR, name: "1"})
        assert code_of(response) == (400, "unknown_field"), name


def test_nobody_touches_anothers_pair(ada: Person, bob: Person) -> None:
    limit, stop = _paired(ada)
    theirs = str(TradingAccount.objects.get(owner=ada.user).public_id)
    before = ledger_hash()

    for order in (limit, stop):
        path = f"{ORDERS}/{order['id']}"
        for answer in (
            bob.client.get(path),
            bob.client.delete(path),
            bob.client.patch(path, {"price": "63500.00"}),
            bob.client.post(f"{path}/replace", LIMIT),
        ):
            assert code_of(answer) == (404, "order_not_found")
    foreign = bob.client.post(PAIRS, {**PAIR, "account": theirs})
    assert code_of(foreign) == (404, "unknown_account")
    assert ledger_hash() == before


def test_pairs_cost_a_fixed_number_of_queries(
    ada: Person, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_queries, "INSTRUMENT_SECONDS", 600.0)
    for _ in range(3):
        _paired(ada)

    with django_assert_num_queries(2):
        items = ada.client.get(f"{ORDERS}?status=open").json()["items"]

    assert len(items) == 6
