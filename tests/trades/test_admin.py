"""Admin: pages open, nothing can be written, nothing big is counted, markets can be halted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from apps.core import clock
from apps.core.admin import BoundedPaginator
from apps.markets.models import Trade
from apps.trades.models import Order
from apps.wallets.models import LedgerEntry
from tests.factories import Trader, house, listed, person, trader

PAGES = (
    "markets/asset", "markets/instrument", "markets/trade", "wallets/tradingaccount",
    "trades/order", "trades/fill",
    "trades/movement",
)  # fmt: skip
# Tables without end show nothing before somebody says of what.
NARROWED = {
    "markets/trade": "?instrument__id__exact=1",
    "trades/fill": "?account__id__exact={}",
    "trades/movement": "?account__id__exact={}",
}


@pytest.fixture
def ada() -> Trader:
    house()
    listed()
    ada, bob = trader(USDT="10000", BTC="1"), trader(USDT="10000", BTC="1")
    bob.sell("0.002", "50000")
    ada.buy("0.001", "50000")
    return ada


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(person(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("page", PAGES)
def test_every_list_shows_rows_and_nothing_to_write(ada: Trader, admin: Client, page: str) -> None:
    shown = admin.get(f"/admin/{page}/{NARROWED.get(page, '').format(ada.account.id)}")
    adding = admin.get(f"/admin/{page}/add/")

    assert shown.status_code == 200
    assert shown.context["cl"].result_count > 0
    assert adding.status_code == 403


@pytest.mark.parametrize("page", [*NARROWED, "trades/order"])
def test_endless_lists_show_what_is_asked_for(ada: Trader, admin: Client, page: str) -> None:
    Order.objects.update(created_at=clock.now() - timedelta(days=2))

    unasked = admin.get(f"/admin/{page}/")
    of_ada = admin.get(f"/admin/{page}/?account__id__exact={ada.account.id}")

    assert unasked.context["cl"].result_count == 0
    if page != "markets/trade":
        shown = of_ada.context["cl"].result_list
        assert {row.account_id for row in shown} == {ada.account.id}


def test_an_order_is_found_by_its_number(ada: Trader, admin: Client) -> None:
    found = admin.get("/admin/trades/order/?q=2").context["cl"].result_list
    none = admin.get("/admin/trades/order/?q=x").context["cl"].result_list

    assert [order.id for order in found] == [2]
    assert list(none) == []


def test_an_account_shows_its_balances_and_the_way_on(ada: Trader, admin: Client) -> None:
    found = admin.get(f"/admin/wallets/tradingaccount/?q={ada.user.email}")
    page = admin.get(f"/admin/wallets/tradingaccount/{ada.account.id}/change/")
    posted = admin.post(f"/admin/wallets/tradingaccount/{ada.account.id}/change/", {"name": "x"})

    assert [row.id for row in found.context["cl"].result_list] == [ada.account.id]
    text = page.content.decode()
    assert "<td>USDT</td><td>9949.95</td><td>0.00</td><td>9949.95</td>" in text
    assert f"/admin/trades/order/?account__id__exact={ada.account.id}" in text
    assert posted.status_code == 403


def test_pages_are_counted_only_so_far(ada: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.admin.COUNTED_ROWS_MAX", 3)

    assert LedgerEntry.objects.count() > 3
    assert BoundedPaginator(LedgerEntry.objects.order_by("-id"), 50).count == 3
    assert BoundedPaginator(Trade.objects.order_by("-id"), 50).count == 1
