"""Forms of the site as they work without scripts: orders, cancelling, taste."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from apps.trades.models import Order
from apps.trades.presentation import order_json
from apps.trades.rules import ORDER_TYPE_NAMES
from tests.factories import Trader, trader

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
PLACE = "/trade/BTC-USDT/orders"
LIMIT = {
    "side": "buy", "type": "limit", "price": "59000", "amount": "0.01", "unit": "base",
    "time_in_force": "gtc", "self_trade_prevention": "expire_taker", "client_order_id": "form-1",
}  # fmt: skip


def _orders(world: Trader) -> list[Order]:
    return list(Order.objects.filter(account=world.account).order_by("-id"))


def test_a_limit_order_by_form(signed_in: Client, world: Trader) -> None:
    before = len(_orders(world))

    response = signed_in.post(PLACE, LIMIT)

    assert (response.status_code, response["Location"]) == (302, "/trade/BTC-USDT")
    order = _orders(world)[0]
    assert len(_orders(world)) == before + 1
    assert (order.price_ticks, order.quantity_lots, order.status) == (5_900_000, 1_000, "open")


def test_the_same_form_sent_twice_orders_once(signed_in: Client, world: Trader) -> None:
    signed_in.post(PLACE, LIMIT)
    before = len(_orders(world))

    signed_in.post(PLACE, LIMIT)

    assert len(_orders(world)) == before


def test_a_market_buy_by_quote(signed_in: Client, world: Trader) -> None:
    trader(BTC="1").sell("0.10000", "60000.00")

    signed_in.post(PLACE, {"side": "buy", "type": "market", "amount": "600.60", "unit": "quote"})

    order = _orders(world)[0]
    assert (order.status, order.filled_lots, order.fee_minor) == ("filled", 1_000, 60_000_000)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ({"type": "take_profit", "stop_price": "70000"}, ("take_profit", 7_000_000, 0, 0)),
        ({"type": "trailing_stop", "trail": "1.5"}, ("trailing_stop", 0, 0, 150)),
        (
            {"type": "trailing_stop", "trail": "900", "trail_unit": "quote", "stop_price": "65000"},
            ("trailing_stop", 6_500_000, 90_000, 0),
        ),
    ],
)
def test_orders_that_wait_by_form(
    signed_in: Client, world: Trader, typed: dict[str, str], found: tuple[object, ...]
) -> None:
    response = signed_in.post(PLACE, {**LIMIT, "side": "sell", **typed})

    assert response.status_code == 302, response.context["errors"]
    order = _orders(world)[0]
    name = ORDER_TYPE_NAMES[order.order_type]
    assert (name, order.stop_ticks, order.trail_ticks or 0, order.trail_bps or 0) == found
    assert (order.price_ticks, order.quantity_lots, order.status) == (0, 1_000, "open")


def test_a_limit_and_a_stop_together_by_form(signed_in: Client, world: Trader) -> None:
    both = {**LIMIT, "type": "oco", "side": "sell", "price": "63000", "stop_price": "58000",
            "stop_limit_price": "57900"}  # fmt: skip

    response = signed_in.post(PLACE, both)
    wrong = signed_in.post(PLACE, {**both, "price": "57000", "client_order_id": "form-2"})

    assert response.status_code == 302, response.context["errors"]
    stop, limit = _orders(world)[:2]
    assert (limit.pair_order_id, stop.pair_order_id) == (stop.id, limit.id)
    assert (limit.price_ticks, stop.stop_ticks, stop.price_ticks) == (
        6_300_000, 5_800_000, 5_790_000,
    )  # fmt: skip
    assert wrong.status_code == 422
    assert "on either side of the last price" in wrong.context["errors"]["price"]
    assert _orders(world)[0] == stop


def test_a_purchase_with_exits_by_form(signed_in: Client, world: Trader) -> None:
    exits = {"bracket": "1", "take_profit_price": "63000", "stop_loss_price": "58000"}

    response = signed_in.post(PLACE, {**LIMIT, **exits})
    by_quote = signed_in.post(
        PLACE, {**LIMIT, **exits, "type": "market", "unit": "quote", "client_order_id": "form-2"}
    )
    sold = signed_in.post(PLACE, {**LIMIT, **exits, "side": "sell", "client_order_id": "form-3"})

    assert response.status_code == 302, response.context["errors"]
    without, order = _orders(world)[:2]
    assert (order.take_profit_ticks, order.stop_loss_ticks) == (6_300_000, 5_800_000)
    assert "without exits" in by_quote.context["errors"]["quantity"]
    # What the form hides for a sale does not count, however it was left.
    assert sold.status_code == 302
    assert (without.take_profit_ticks, without.stop_loss_ticks) == (None, None)


def test_an_iceberg_by_form(signed_in: Client, world: Trader) -> None:
    hidden = {"display_quantity": "0.002", "self_trade_prevention": "decrement"}

    response = signed_in.post(PLACE, {**LIMIT, **hidden})

    assert response.status_code == 302, response.context["errors"]
    shown = order_json(_orders(world)[0])
    assert (shown["quantity"], shown["display_quantity"]) == ("0.01000", "0.00200")
    assert shown["self_trade_prevention"] == "decrement"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"display_quantity": "0.000001"}, "display_quantity", "steps of 0.00001"),
        ({"type": "trailing_stop"}, "trail", "distance"),
        ({"type": "trailing_stop", "trail": "50.01"}, "trail", "50 percent"),
        ({"price": "59000.001"}, "price", "steps of 0.01"),
        ({"amount": "0.000001"}, "quantity", "steps of 0.00001"),
        ({"amount": "-1"}, "quantity", ""),
        ({"amount": ""}, "quantity", ""),
        ({"amount": "9" * 500}, "quantity", ""),
        ({"amount": "100"}, "quantity", ""),
        ({"unit": "quote"}, "quantity", "Only a market buy"),
        ({"time_in_force": "gtd", "expires_at": "soon"}, "expires_at", "Choose a day"),
        ({"side": "borrow"}, "form", ""),
        ({"type": "iceberg"}, "form", ""),
    ],
)
def test_a_refused_order_comes_back_filled_in_with_the_reason(
    signed_in: Client, world: Trader, changes: dict[str, str], field: str, words: str
) -> None:
    before = [(order.id, order.status) for order in _orders(world)]
    balance = world.has("USDT")

    response = signed_in.post(PLACE, {**LIMIT, **changes})

    page = response.content.decode()
    assert response.status_code == (422 if changes == {"amount": "100"} else 400)
    errors = response.context["errors"]
    assert list(errors) == [field], errors
    assert words in errors[field]
    assert escape(errors[field]) in page
    typed = {**LIMIT, **changes}["amount"][:40]
    assert f'value="{typed}"' in page
    assert [(order.id, order.status) for order in _orders(world)] == before
    assert world.has("USDT") == balance


def test_cancelling_by_form(signed_in: Client, world: Trader) -> None:
    order = world.buy("0.01000", "59000.00")

    response = signed_in.post(f"/orders/{order.id}/cancel", {"next": "/orders"})

    assert response["Location"] == "/orders"
    order = Order.objects.get(id=order.id, account=world.account)
    assert order.status == "cancelled"


def test_cancelling_all_by_form(signed_in: Client, world: Trader) -> None:
    for price in ("59000.00", "58000.00"):
        world.buy("0.01000", price)

    signed_in.post("/orders/cancel-all", {"next": "/trade/BTC-USDT"})

    open_ones = Order.objects.filter(account=world.account, status="open")
    assert open_ones.count() == 0


def test_the_order_of_somebody_else_stays(signed_in: Client) -> None:
    other = trader(USDT="1000")
    order = other.buy("0.01000", "50000.00")

    response = signed_in.post(f"/orders/{order.id}/cancel", follow=True)

    assert "You have no such order" in response.content.decode()
    assert Order.objects.get(id=order.id, account=other.account).status == "open"


def test_forms_need_their_token_and_a_person(world: Trader) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.user)

    assert strict.post(PLACE, LIMIT).status_code == 403
    assert Client().get("/orders/cancel-all").status_code == 405


def test_what_leads_to_a_refused_form_leads_to_its_page(signed_in: Client) -> None:
    refused = signed_in.post(PLACE, {**LIMIT, "amount": "much"})

    assert refused.status_code == 400
    assert 'href="?tab=history"' in refused.content.decode()
    assert signed_in.get(f"{PLACE}?tab=history")["Location"] == "/trade/BTC-USDT?tab=history"
    assert signed_in.get(PLACE)["Location"] == "/trade/BTC-USDT"


@pytest.mark.parametrize(
    ("form", "fields", "page"),
    [
        (PLACE, LIMIT, "/trade/BTC-USDT"),
        ("/orders/1/cancel", {"next": "/trade/BTC-USDT"}, "/trade/BTC-USDT"),
        ("/orders/1/cancel", {"next": "//evil.example"}, "/orders"),
        ("/orders/cancel-all", {}, "/orders"),
    ],
)
def test_who_was_signed_out_comes_back_to_the_page_of_the_form(
    world: Trader, form: str, fields: dict[str, str], page: str
) -> None:
    response = Client().post(form, fields)

    assert response["Location"] == f"/accounts/login/?next={page}"


def test_long_lists_come_page_by_page(signed_in: Client, world: Trader) -> None:
    for step in range(55):
        world.buy("0.00100", f"{50000 + step}.00")

    first = signed_in.get("/orders")
    rows = signed_in.get(f"/orders?{first.context['next_query']}", headers={"HX-Request": "true"})

    assert len(first.context["rows"]) == 50
    assert b"<html" not in rows.content
    ids = {row["id"] for row in first.context["rows"]}
    assert len(rows.context["rows"]) == 7
    assert not ids & {row["id"] for row in rows.context["rows"]}
    filtered = signed_in.get("/orders?market=BTC-USDT&status=filled")
    assert {row["status"] for row in filtered.context["rows"]} == {"filled"}
    for unknown in ("%00", "BTC-USDT%26show=fills", "NONE"):
        assert signed_in.get(f"/orders?market={unknown}").status_code == 404
        assert signed_in.get(f"/orders?show=fills&market={unknown}").status_code == 404
    assert signed_in.get("/orders?status=lost").status_code == 400
    assert signed_in.get("/orders?before=x").status_code == 400


@pytest.mark.parametrize(
    ("field", "value", "cookie"),
    [("theme", "light", "sum1_theme"), ("palette", "safe", "sum1_palette")],
)
def test_appearance_is_kept_and_nonsense_is_not(
    client: Client, field: str, value: str, cookie: str
) -> None:
    client.post("/preferences/appearance", {field: value, "next": "/markets"})

    assert client.cookies[cookie].value == value
    assert f'data-{field}="{value}"' in client.get("/markets").content.decode()
    client.cookies[cookie] = '"><script>'
    assert "<script>" not in client.get("/markets").content.decode().split("importmap")[0][-50:]
    assert f'data-{field}="{value}"' not in client.get("/markets").content.decode()


def test_favourites_toggle_without_scripts(client: Client) -> None:
    client.post("/preferences/favourite", {"market": "ETH-BTC", "next": "/markets"})
    client.post("/preferences/favourite", {"market": "BTC-USDT", "next": "/markets"})
    client.post("/preferences/favourite", {"market": "ETH-BTC", "next": "/markets"})
    client.post("/preferences/favourite", {"market": "not a market", "next": "/markets"})

    assert client.cookies["sum1_favourites"].value == "BTC-USDT"
    page = client.get("/markets?show=starred").content.decode()
    assert 'data-symbol="BTC-USDT"' in page
    assert 'data-symbol="ETH-BTC"' not in page


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "javascript:alert(1)"]
)
def test_forms_never_lead_away_from_the_site(client: Client, target: str) -> None:
    response = client.post("/preferences/appearance", {"theme": "light", "next": target})

    assert response["Location"] == "/"
