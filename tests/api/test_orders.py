"""Placing, looking up and cancelling orders through the API: exact values."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.markets import queries as market_queries
from apps.markets.actions import set_instrument
from apps.markets.queries import instrument_by_symbol
from apps.trades.models import Fill, Order
from apps.wallets.models import TradingAccount
from tests.api.conftest import LIMIT, Person, code_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
ORDERS = "/api/v1/orders"


def _place(person: Person, **changes: Any) -> dict[str, Any]:
    response = person.client.post(ORDERS, {**LIMIT, **changes})
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    return body


def _balances(person: Person) -> dict[str, tuple[str, str]]:
    body = person.client.get("/api/v1/balances").json()
    return {row["asset"]: (row["available"], row["held"]) for row in body["items"]}


def test_a_limit_order_rests_and_holds_its_worst_cost(ada: Person) -> None:
    account = TradingAccount.objects.get(owner=ada.user)

    order = _place(ada, client_order_id="mine-1")

    assert {name: order[name] for name in order if not name.endswith("_at")} == {
        "id": order["id"],
        "client_order_id": "mine-1",
        "account": str(account.public_id),
        "market": "BTC-USDT",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "post_only": False,
        "self_trade_prevention": "expire_taker",
        "status": "open",
        "quantity": "0.01000",
        "quote_amount": None,
        "price": "60000.00",
        "stop_price": None,
        "display_quantity": None,
        "trail_amount": None,
        "trail_percent": None,
        "take_profit_price": None,
        "stop_loss_price": None,
        "stop_loss_limit_price": None,
        "pair_order_id": None,
        "parent_order_id": None,
        "block_id": None,
        "filled_quantity": "0.00000",
        "filled_quote": "0.00",
        "average_price": None,
        "fee": "0.00",
        "fee_asset": "USDT",
        "reason": None,
        "seq": order["seq"],
    }
    assert order["expires_at"] is None
    # 600 and 0.1 % of it, and one minor unit for rounding.
    assert _balances(ada)["USDT"] == ("99399.39999999", "600.60000001")


def test_two_orders_that_meet_trade_at_the_makers_price(ada: Person, bob: Person) -> None:
    resting = _place(bob, side="sell", price="59000.00", quantity="0.004")

    order = _place(ada)

    assert (order["status"], order["filled_quantity"]) == ("partially_filled", "0.00400")
    assert (order["filled_quote"], order["average_price"]) == ("236.00", "59000.00")
    assert (order["fee"], order["fee_asset"]) == ("0.236", "USDT")
    ended = bob.client.get(f"{ORDERS}/{resting['id']}", {"min_seq": order["seq"]}).json()
    assert (ended["status"], ended["fee"]) == ("filled", "0.1888")
    # Ada: 236 and 0.236 are gone, 360 and its 0.36 stay held. Bob: 236 less 0.1888.
    assert _balances(ada)["BTC"] == ("1.00400000", "0.00000000")
    assert _balances(bob)["BTC"] == ("0.99600000", "0.00000000")
    assert _balances(bob)["USDT"] == ("100235.8112", "0.00")
    available, held = _balances(ada)["USDT"]
    assert held == "360.36000001"
    assert available == "99403.40399999"


def test_a_market_order_by_quantity_and_by_quote_amount(ada: Person, bob: Person) -> None:
    _place(bob, side="sell", price="60000.00", quantity="0.5")

    by_quantity = _place(ada, type="market", quantity="0.1", price=None, time_in_force=None)
    by_amount = _place(
        ada, type="market", quantity=None, quote_amount="601.00", price=None, time_in_force=None
    )

    assert (by_quantity["status"], by_quantity["time_in_force"]) == ("filled", "ioc")
    assert (by_quantity["filled_quote"], by_quantity["fee"]) == ("6000.00", "6.00")
    # The fee is part of the budget: 0.01 costs 600.60, another lot does not fit.
    assert (by_amount["filled_quantity"], by_amount["filled_quote"]) == ("0.01000", "600.00")
    assert (by_amount["quote_amount"], by_amount["fee"]) == ("601.00", "0.60")
    assert by_amount["price"] is None


def test_post_only_fok_and_gtd(ada: Person, bob: Person) -> None:
    _place(bob, side="sell", price="60000.00", quantity="0.001")

    would_take = ada.client.post(ORDERS, {**LIMIT, "post_only": True})
    assert code_of(would_take) == (422, "post_only_would_take")
    killed = _place(ada, time_in_force="fok")
    assert (killed["status"], killed["filled_quantity"]) == ("cancelled", "0.00000")
    dated = _place(ada, price="50000.00", time_in_force="gtd", expires_at="2100-01-01T00:00:00Z")
    assert (dated["status"], dated["expires_at"]) == ("open", "2100-01-01T00:00:00Z")


def test_an_order_is_read_and_cancelled(ada: Person) -> None:
    order = _place(ada)
    path = f"{ORDERS}/{order['id']}"

    assert ada.client.get(path, {"min_seq": order["seq"]}).json() == order
    response = ada.client.delete(path)

    assert response.status_code == 200
    ended = response.json()
    assert (ended["status"], ended["reason"]) == ("cancelled", "user")
    assert ended["seq"] > order["seq"]
    assert ada.client.get(path).json() == ended
    assert _balances(ada)["USDT"] == ("100000.00", "0.00")
    assert code_of(ada.client.delete(path)) == (409, "order_closed")


def test_lists_are_filtered_and_newest_first(ada: Person) -> None:
    orders = [_place(ada, price=f"5{index}000.00", client_order_id=f"o-{index}") for index in "012"]
    eth = _place(ada, market="ETH-USDT", price="3000.00", quantity="0.1")
    ada.client.delete(f"{ORDERS}/{orders[0]['id']}")

    def ids(**query: Any) -> list[str]:
        return [row["id"] for row in ada.client.get(ORDERS, query).json()["items"]]

    first, second, third = (order["id"] for order in orders)
    assert ids() == [eth["id"], third, second, first]
    assert ids(status="open") == [eth["id"], third, second]
    assert ids(status="cancelled") == [first]
    assert ids(market="ETH-USDT") == [eth["id"]]
    assert ids(market="eth-usdt", status="open") == [eth["id"]]
    assert ids(market="NONE") == []
    assert ids(client_order_id="o-1") == [second]
    assert ids(limit=2) == [eth["id"], third]
    page = ada.client.get(ORDERS, {"limit": 2}).json()
    assert ids(limit=2, cursor=page["next"]) == [second, first]


@pytest.mark.parametrize(
    "query",
    [{"status": "none"}, {"status": ""}, {"market": "x" * 26}, {"client_order_id": "x" * 65},
     {"order_by": "id"}, {"account_id": "1"}, {"cursor": "1.x"}, {"limit": "0"}],
    ids=str,
)  # fmt: skip
def test_a_wrong_filter_is_refused(ada: Person, query: dict[str, str]) -> None:
    assert code_of(ada.client.get(ORDERS, query))[0] == 400


def test_all_orders_or_those_of_a_market_are_cancelled(ada: Person, bob: Person) -> None:
    btc = [_place(ada, price=f"5{index}000.00")["id"] for index in "01"]
    eth = _place(ada, market="ETH-USDT", price="3000.00", quantity="0.1")["id"]
    others = _place(bob)["id"]

    response = ada.client.delete(f"{ORDERS}?market=BTC-USDT")
    assert response.status_code == 200
    assert response.json()["cancelled"] == btc
    assert ada.client.delete(ORDERS).json()["cancelled"] == [eth]
    assert ada.client.delete(ORDERS).json()["cancelled"] == []

    assert ada.client.get(ORDERS, {"status": "open"}).json()["items"] == []
    assert bob.client.get(f"{ORDERS}/{others}").json()["status"] == "open"


def test_a_typing_error_never_cancels_everything(ada: Person) -> None:
    _place(ada)

    assert code_of(ada.client.delete(f"{ORDERS}?makret=ETH-USDT")) == (400, "unknown_parameter")
    assert code_of(ada.client.delete(f"{ORDERS}?market=ETH")) == (404, "unknown_market")
    assert code_of(ada.client.delete(f"{ORDERS}?market=")) == (400, "too_short")

    assert len(ada.client.get(ORDERS, {"status": "open"}).json()["items"]) == 1


def test_a_batch_has_an_outcome_for_each(ada: Person) -> None:
    orders = [
        {**LIMIT, "price": "50000.00", "client_order_id": "b-0"},
        {**LIMIT, "price": "50000.001"},
        {**LIMIT, "market": "NONE"},
        {**LIMIT, "quantity": "5"},
        {**LIMIT, "price": "51000.00"},
    ]

    response = ada.client.post(f"{ORDERS}/batch", {"orders": orders})

    assert response.status_code == 200
    items = response.json()["items"]
    assert [item["order"] and item["order"]["status"] for item in items] == [
        "open", None, None, None, "open",
    ]  # fmt: skip
    assert [item["error"] and (item["error"]["status"], item["error"]["code"]) for item in items][
        1:4
    ] == [(400, "tick_size"), (404, "unknown_market"), (422, "insufficient_funds")]
    assert Order.objects.filter(status="open").count() == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"orders": []}, "empty"),
        ({"orders": {}}, "not_a_list"),
        ({"orders": [LIMIT] * 101}, "max_length"),
        ({"orders": ["x"]}, "invalid_body"),
        ({"orders": [{**LIMIT, "quantity": 1}]}, "amount_must_be_string"),
        ({"orders": [LIMIT, {**LIMIT, "account": "x"}]}, "unknown_field"),
        ({"orders": [LIMIT], "atomic": True}, "unknown_field"),
    ],
    ids=["none", "empty", "no list", "too many", "text", "number", "account", "more"],
)
def test_a_malformed_batch_places_nothing(ada: Person, body: dict[str, Any], code: str) -> None:
    response = ada.client.post(f"{ORDERS}/batch", body)

    assert code_of(response) == (400, code)
    assert not Order.objects.exists()


def test_a_hundred_orders_fit_into_a_batch(ada: Person) -> None:
    orders = [{**LIMIT, "price": f"{50_000 + i}.00", "quantity": "0.0002"} for i in range(100)]

    items = ada.client.post(f"{ORDERS}/batch", {"orders": orders}).json()["items"]

    assert [item["error"] for item in items] == [None] * 100
    assert [item["order"]["price"] for item in items] == [order["price"] for order in orders]


def test_fills_are_those_of_the_person_alone(ada: Person, bob: Person) -> None:
    resting = _place(bob, side="sell", price="59000.00", quantity="0.004")
    taking = _place(ada)

    mine = ada.client.get("/api/v1/fills", {"min_seq": taking["seq"]}).json()
    theirs = bob.client.get("/api/v1/fills").json()

    assert mine["next"] is None
    (fill,) = mine["items"]
    assert {name: fill[name] for name in fill if name not in ("id", "trade_id", "at")} == {
        "order_id": taking["id"],
        "market": "BTC-USDT",
        "side": "buy",
        "role": "taker",
        "price": "59000.00",
        "quantity": "0.00400",
        "quote_amount": "236.00",
        "fee": "0.236",
        "fee_asset": "USDT",
        "seq": taking["seq"],
    }
    assert [(row["order_id"], row["role"], row["fee"]) for row in theirs["items"]] == [
        (resting["id"], "maker", "0.1888")
    ]
    assert Fill.objects.count() == 2
    for query, count in (
        ({"market": "ETH-USDT"}, 0), ({"order_id": taking["id"]}, 1), ({"order_id": "1"}, 0),
        ({"order_id": resting["id"]}, 0), ({"order_id": "x"}, 0),
    ):  # fmt: skip
        assert len(ada.client.get("/api/v1/fills", query).json()["items"]) == count


def test_the_tape_shows_the_trade_to_everybody(
    ada: Person, bob: Person, anybody: APIClient
) -> None:
    _place(bob, side="sell", price="59000.00", quantity="0.004")
    taking = _place(ada)

    body = anybody.get("/api/v1/markets/BTC-USDT/trades", {"min_seq": taking["seq"]}).json()

    (trade,) = body["items"]
    assert (trade["price"], trade["quantity"], trade["side"]) == ("59000.00", "0.00400", "buy")
    assert trade["seq"] == taking["seq"]
    ticker = anybody.get("/api/v1/markets/BTC-USDT/ticker").json()
    assert (ticker["last"], ticker["volume"]) == ("59000.00", "0.00400")
    (candle,) = anybody.get("/api/v1/markets/BTC-USDT/candles").json()["items"]
    assert (candle["open"], candle["close"], candle["volume"]) == (
        "59000.00", "59000.00", "0.00400",
    )  # fmt: skip


def test_the_tape_is_paged(ada: Person, bob: Person, anybody: APIClient) -> None:
    for _ in range(3):
        _place(bob, side="sell", price="59000.00", quantity="0.001")
        _place(ada, price="59000.00", quantity="0.001")
    path = "/api/v1/markets/BTC-USDT/trades"

    first = anybody.get(path, {"limit": 2}).json()
    second = anybody.get(path, {"limit": 2, "cursor": first["next"]}).json()

    assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]
    assert int(first["items"][-1]["id"]) > int(second["items"][0]["id"])
    other = anybody.get("/api/v1/markets/ETH-USDT/trades", {"cursor": first["next"]})
    assert code_of(other) == (400, "invalid_cursor")


def test_nobody_trades_with_himself(ada: Person) -> None:
    _place(ada, side="sell", price="60000.00")

    order = _place(ada)

    assert (order["status"], order["reason"]) == ("expired", "self_trade")
    assert not Fill.objects.exists()


@pytest.mark.parametrize("state", [2, 3], ids=["cancel only", "halted"])
def test_a_market_that_is_not_open_takes_no_order_but_lets_go(ada: Person, state: int) -> None:
    order = _place(ada)
    set_instrument(actor=None, instrument=instrument_by_symbol("BTC-USDT"), state=state)
    before = _balances(ada)

    response = ada.client.post(ORDERS, LIMIT)

    assert code_of(response) == (503, "trading_halted")
    assert response["Retry-After"] == "10"
    assert _balances(ada) == before
    assert ada.client.delete(f"{ORDERS}/{order['id']}").json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "path", "count"),
    [("get", "orders", 2), ("get", "fills", 2), ("get", "orders/{id}", 2)],
)
def test_reads_cost_a_fixed_number_of_queries(
    ada: Person, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch,
    method: str, path: str, count: int,
) -> None:  # fmt: skip
    # However slow the machine is, the markets are read when the orders are placed.
    monkeypatch.setattr(market_queries, "INSTRUMENT_SECONDS", 600.0)
    for index in range(3):
        order = _place(ada, price=f"5{index}000.00")

    with django_assert_num_queries(count):
        getattr(ada.client, method)(f"/api/v1/{path.format(id=order['id'])}")


def test_an_order_is_amended(ada: Person, bob: Person) -> None:
    order = _place(ada)
    path = f"{ORDERS}/{order['id']}"

    reduced = ada.client.patch(path, {"quantity": "0.004"}).json()
    moved = ada.client.patch(path, {"price": "59000.00", "quantity": "0.01"}).json()

    assert (reduced["quantity"], reduced["status"]) == ("0.00400", "open")
    assert (moved["quantity"], moved["price"]) == ("0.01000", "59000.00")
    assert moved == ada.client.get(path, {"min_seq": moved["seq"]}).json()
    # 590 and 0.1 % of it, and one minor unit for rounding.
    assert _balances(ada)["USDT"][1] == "590.59000001"


def test_an_amended_order_may_trade_at_once(ada: Person, bob: Person) -> None:
    order = _place(ada, price="58000.00")
    _place(bob, side="sell", price="59000.00", quantity="0.004")

    moved = ada.client.patch(f"{ORDERS}/{order['id']}", {"price": "59000.00"}).json()

    assert (moved["status"], moved["filled_quantity"]) == ("partially_filled", "0.00400")
    assert (moved["filled_quote"], moved["fee"]) == ("236.00", "0.236")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, (400, "nothing_to_amend")),
        ({"quantity": "0.004"}, (409, "amend_below_filled")),
        ({"price": "60000.001"}, (400, "tick_size")),
        ({"quantity": "x"}, (400, "invalid_amount")),
        ({"stop_price": "50000.00"}, (400, "invalid_order")),
        ({"quantity": "9"}, (422, "insufficient_funds")),
        ({"side": "sell"}, (400, "unknown_field")),
    ],
)
def test_an_amendment_that_is_refused_leaves_the_order(
    ada: Person, bob: Person, body: dict[str, str], told: tuple[int, str]
) -> None:
    order = _place(ada)
    _place(bob, side="sell", quantity="0.004")
    path = f"{ORDERS}/{order['id']}"
    before = ada.client.get(path).json()

    refused = ada.client.patch(path, body)

    assert code_of(refused) == told
    assert ada.client.get(path).json() == before


def test_only_the_owner_amends_and_replaces_and_only_what_is_open(ada: Person, bob: Person) -> None:
    order = _place(ada)
    path = f"{ORDERS}/{order['id']}"

    foreign = [
        bob.client.patch(path, {"quantity": "0.001"}),
        bob.client.post(f"{path}/replace", LIMIT),
    ]
    ada.client.delete(path)
    ended = [
        ada.client.patch(path, {"quantity": "0.001"}),
        ada.client.post(f"{path}/replace", LIMIT),
    ]

    assert [code_of(each) for each in foreign] == [(404, "order_not_found")] * 2
    assert [code_of(each) for each in ended] == [(409, "order_closed")] * 2


def test_an_amended_order_sent_again_is_known_by_what_it_was(ada: Person) -> None:
    order = _place(ada, client_order_id="mine")
    ada.client.patch(f"{ORDERS}/{order['id']}", {"quantity": "0.004"})

    again = ada.client.post(ORDERS, {**LIMIT, "client_order_id": "mine"})
    other = ada.client.post(ORDERS, {**LIMIT, "client_order_id": "mine", "quantity": "0.004"})

    assert (again.status_code, again.json()["id"]) == (201, order["id"])
    assert again.json()["quantity"] == "0.00400"
    assert code_of(other) == (409, "id_reused")


def test_an_order_is_replaced_once(ada: Person) -> None:
    order = _place(ada)
    path = f"{ORDERS}/{order['id']}"
    body = {**LIMIT, "price": "59000.00", "client_order_id": "second"}

    placed = ada.client.post(f"{path}/replace", body, HTTP_IDEMPOTENCY_KEY="k-1")
    again = ada.client.post(f"{path}/replace", body, HTTP_IDEMPOTENCY_KEY="k-1")
    once_more = ada.client.post(f"{path}/replace", body)

    assert (placed.status_code, placed.json()["price"]) == (201, "59000.00")
    assert again.json() == placed.json() == once_more.json()
    old = ada.client.get(path).json()
    assert (old["status"], old["reason"]) == ("cancelled", "replaced")
    assert _balances(ada)["USDT"][1] == "590.59000001"


def test_a_refused_replacement_leaves_the_order_where_it_is(ada: Person) -> None:
    order = _place(ada)
    path = f"{ORDERS}/{order['id']}"

    dear = ada.client.post(f"{path}/replace", {**LIMIT, "quantity": "9"})
    other_side = ada.client.post(f"{path}/replace", {**LIMIT, "side": "sell"})

    assert code_of(dear) == (422, "insufficient_funds")
    assert code_of(other_side) == (400, "replace_mismatch")
    assert ada.client.get(path).json() == order


def test_orders_of_one_side_are_cancelled(ada: Person) -> None:
    bid, ask = _place(ada), _place(ada, side="sell", price="61000.00")

    response = ada.client.delete(f"{ORDERS}?side=sell&market=BTC-USDT")
    wrong = ada.client.delete(f"{ORDERS}?side=both")

    assert response.json()["cancelled"] == [ask["id"]]
    assert code_of(wrong) == (400, "invalid_choice")
    assert ada.client.get(f"{ORDERS}/{bid['id']}").json()["status"] == "open"


def test_the_dead_mans_switch_is_set_and_taken_back(ada: Person) -> None:
    path = f"{ORDERS}/cancel-after"

    armed = ada.client.put(path, {"timeout_seconds": 60}).json()
    taken_back = ada.client.put(path, {"timeout_seconds": 0}).json()
    refused = [ada.client.put(path, {"timeout_seconds": each}) for each in (-1, 86_401, "5", True)]

    assert armed["cancel_at"] is not None
    assert (taken_back["cancel_at"], taken_back["seq"]) == (None, armed["seq"] + 1)
    assert [code_of(each) for each in refused] == [(400, "invalid_timeout")] * 4
