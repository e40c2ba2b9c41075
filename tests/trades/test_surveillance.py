"""What staff see of the venue, what they may do about it, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.test import Client

from apps.core import clock
from apps.core.errors import DomainError
from apps.markets.models import Instrument
from apps.matching.queries import CommandRate, projected_seq
from apps.trades import drift
from apps.trades.models import Order
from apps.trades.risk.marks import look_at_marks
from apps.trades.risk.models import Restriction, RiskMark
from apps.trades.risk.queries import limits_as_set
from apps.trades.surveillance import Exposure, overview
from apps.trades.tasks import check_positions
from tests.factories import Trader, house, listed, person, staff, trader

pytestmark = pytest.mark.django_db

USDT = 100_000_000


@pytest.fixture
def ada() -> Trader:
    """Ada holds 0.1 BTC at 50,000 and wants more; Bob wants to sell what he has."""
    house()
    listed()
    listed("ETH-BTC")
    ada, bob = trader("ada@example.com", USDT="10000"), trader("bob@example.com", BTC="1")
    bob.sell("0.1", "50000")
    ada.buy("0.1", "50000")
    look_at_marks(now=clock.now())
    ada.buy("0.01", "49000")
    ada.buy("0.02", "48000")
    bob.sell("0.2", "51000")
    ada.place(market="ETH-BTC", side="buy", quantity="0.1", price="0.05")
    return ada


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(person(is_staff=True, is_superuser=True))
    return client


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_overview_adds_up(ada: Trader) -> None:
    now = overview(now=clock.now())

    first, second = now.exposures
    # Bob has 0.9 BTC and asks 10,200 for a part of it; Ada bids 490, 960, and 0.005 BTC for ETH.
    assert first == Exposure(first.account_id, "bob@example.com", 1, 0, 10_200 * USDT,
                             45_000 * USDT)  # fmt: skip
    assert second == Exposure(ada.account.id, "ada@example.com", 3, 1_700 * USDT, 0, 5_000 * USDT)
    assert [order.value_minor // USDT for order in now.largest] == [10_200, 960, 490, 250]
    assert [(market.symbol, market.orders, market.value_minor) for market in now.markets] == [
        ("BTC-USDT", 3, 11_650 * USDT), ("ETH-BTC", 1, 250 * USDT),
    ]  # fmt: skip
    sender = now.senders[0]
    assert (sender.account_id, sender.orders, sender.traded) == (ada.account.id, 4, 1)


def test_what_has_no_price_of_its_own_is_worth_what_it_moves(ada: Trader) -> None:
    """A trailing stop that is paid in BTC, for ether that costs 3,000 USDT."""
    listed("ETH-USDT")
    seller = trader(ETH="1")
    seller.sell("0.1", "3000", market="ETH-USDT")
    ada.buy("0.1", "3000", market="ETH-USDT")
    seller.sell("0.1", "0.05", market="ETH-BTC")
    look_at_marks(now=clock.now())
    ada.place(market="ETH-BTC", side="sell", order_type="trailing_stop", quantity="0.1",
              trail_amount="0.001")  # fmt: skip

    now = overview(now=clock.now())

    assert [order.value_minor // USDT for order in now.largest] == [10_200, 960, 490, 300]
    of_ada = next(each for each in now.exposures if each.account_id == ada.account.id)
    assert (of_ada.orders, of_ada.sells_minor) == (3, 300 * USDT)


def test_of_a_pair_one_counts(ada: Trader) -> None:
    first, second = Order.objects.filter(account=ada.account, instrument__symbol="BTC-USDT",
                                         status="open").order_by("id")  # fmt: skip
    Order.objects.filter(id=first.id).update(pair_order_id=second.id)
    Order.objects.filter(id=second.id).update(pair_order_id=first.id)

    now = overview(now=clock.now())

    assert [order.value_minor // USDT for order in now.largest] == [10_200, 490, 250]
    assert (now.exposures[1].orders, now.exposures[1].buys_minor) == (3, 740 * USDT)


def test_commands_are_counted_whoever_sent_them_and_whatever_came_of_them(ada: Trader) -> None:
    before = overview(now=clock.now()).commands

    with pytest.raises(DomainError):
        ada.buy("0.01", "90000")
    ada.buy("0.01", "40000")
    now = clock.now()
    after = overview(now=now).commands

    assert before.commands == projected_seq() - 2
    assert after.commands == before.commands + 2
    assert 1 <= after.busiest <= after.commands
    assert overview(now=now + timedelta(minutes=6)).commands == CommandRate(0, 0)


def test_cancelled_orders_are_a_share_of_what_was_sent(ada: Trader) -> None:
    from apps.trades.actions import cancel_all

    cancel_all(actor=ada.user, account=ada.account)

    sender = overview(now=clock.now()).senders[0]

    assert (sender.cancelled, sender.cancelled_percent, sender.per_minute) == (3, 75, 0)


def test_the_overview_costs_the_same_for_many(ada: Trader, django_assert_num_queries: Any) -> None:
    for _ in range(5):
        trader(USDT="1000").buy("0.001", "40000")

    with django_assert_num_queries(6):
        overview(now=clock.now())


def test_only_staff_see_it(ada: Trader, client: Client) -> None:
    pages = [
        "/admin/trades/restriction/overview/", "/admin/trades/restriction/kill/VENUE/",
        f"/admin/trades/restriction/account/{ada.account.id}/",
    ]  # fmt: skip

    client.force_login(ada.user)
    of_ada = [client.get(page).status_code for page in pages]
    client.force_login(staff())
    of_powerless_staff = [client.get(page).status_code for page in pages]

    assert 200 not in of_ada
    assert of_powerless_staff == [403, 403, 403]


def test_the_pages_open(ada: Trader, admin: Client, django_assert_max_num_queries: Any) -> None:
    # What the menu counts is kept for some seconds; here it is counted anew.
    cache.clear()
    with django_assert_max_num_queries(14):
        seen = text(admin.get("/admin/trades/restriction/overview/"))
    account = text(admin.get(f"/admin/trades/restriction/account/{ada.account.id}/"))
    listed = admin.get("/admin/trades/restriction/")

    assert '<td class="number">11,650.00</td>' in seen
    assert "Nothing restricts this account." in account
    assert listed.status_code == 200


def test_a_market_is_stopped_once_its_name_is_typed(ada: Trader, admin: Client) -> None:
    page = "/admin/trades/restriction/kill/BTC-USDT/"
    before = projected_seq()

    shown = text(admin.get(page))
    unsure = admin.post(page, {"confirm": "BTC", "reason": "Runaway prices."})
    silent = admin.post(page, {"confirm": "BTC-USDT", "reason": " "})
    unchanged = projected_seq()
    done = admin.post(page, {"confirm": "BTC-USDT", "reason": "Runaway prices."})

    assert "3 of people" in shown
    assert (unsure.status_code, silent.status_code, unchanged) == (200, 200, before)
    assert done.status_code == 302
    assert Instrument.objects.get(symbol="BTC-USDT").state == Instrument.State.CANCEL_ONLY
    still_open = Order.objects.filter(status="open").values_list("instrument__symbol", flat=True)
    assert list(still_open) == ["ETH-BTC"]
    assert "Runaway prices." in LogEntry.objects.get().change_message


def test_the_venue_is_stopped_once_its_name_is_typed(ada: Trader, admin: Client) -> None:
    done = admin.post(
        "/admin/trades/restriction/kill/VENUE/", {"confirm": "VENUE", "reason": "A drill."}
    )

    assert done.status_code == 302
    assert not Order.objects.filter(status="open").exists()
    assert LogEntry.objects.get().object_id == "VENUE"


def test_an_account_is_stopped_and_let_go(ada: Trader, admin: Client) -> None:
    page = f"/admin/trades/restriction/account/{ada.account.id}/"
    asked = {"act": "restrict", "state": "blocked", "reason": "Stolen card"}

    admin.post(page, asked)
    unconfirmed = Restriction.objects.count()
    admin.post(page, {**asked, "confirm": str(ada.account.id)})
    restriction = Restriction.objects.get()
    shown = text(admin.get(page))
    admin.post(page, {"act": "lift", "restriction": str(restriction.id), "reason": "It was not"})

    assert unconfirmed == 0
    assert "Standing: blocked" in shown
    assert not Order.objects.filter(account=ada.account, status="open").exists()
    restriction.refresh_from_db()
    assert restriction.lift_reason == "It was not"
    assert LogEntry.objects.count() == 2


def test_staff_set_what_the_house_allows(ada: Trader, admin: Client) -> None:
    page = f"/admin/trades/restriction/account/{ada.account.id}/"

    wrong = admin.post(page, {"act": "limits", "max_daily_loss": "much"})
    admin.post(page, {"act": "limits", "max_daily_loss": "500", "max_open_orders": "20",
                      "on_breach": "kill"})  # fmt: skip

    assert wrong.status_code == 200
    house = limits_as_set(ada.account.id).house
    assert (house.max_daily_loss_minor, house.max_open_orders) == (500 * USDT, 20)
    assert house.orders_per_second == 100


def test_who_may_look_may_not_act(ada: Trader, client: Client) -> None:
    from django.contrib.auth.models import Permission

    looker = staff()
    looker.user_permissions.add(Permission.objects.get(codename="view_restriction"))
    client.force_login(looker)
    page = f"/admin/trades/restriction/account/{ada.account.id}/"

    shown = client.get(page)
    acts = [client.post(page, {"act": act}).status_code for act in ("limits", "restrict", "lift")]

    assert shown.status_code == 200
    assert acts == [403, 403, 403]
    assert not Restriction.objects.exists()


def test_staff_read_what_the_nightly_check_has_found(
    ada: Trader, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "/admin/trades/restriction/overview/"

    unknown = text(admin.get(page))
    check_positions()
    agreed = text(admin.get(page))
    monkeypatch.setattr(drift, "check", lambda: ["position of account 7 in asset 2: it differs"])
    check_positions()
    differs = text(admin.get(page))

    assert "have not been checked" in unknown
    assert "Positions agreed with the ledger" in agreed
    assert "<li>position of account 7 in asset 2: it differs</li>" in differs


def test_staff_read_that_nobody_is_judged(ada: Trader, admin: Client) -> None:
    page = "/admin/trades/restriction/overview/"

    judged = text(admin.get(page))
    RiskMark.objects.update(at=clock.now() - timedelta(seconds=11))
    old = text(admin.get(page))

    assert "nobody who loses is stopped" not in judged
    assert "nobody who loses is stopped" in old
