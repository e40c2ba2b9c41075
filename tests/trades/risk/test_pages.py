"""The pages of limits and lots: what they show, what they refuse, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.trades.risk.actions import restrict_account, set_house_limits, set_own_limits
from apps.trades.risk.queries import limits_of
from apps.trades.risk.rules import ONLY_SELL, LimitSet
from tests.factories import Trader, house, listed, staff, trader

pytestmark = pytest.mark.django_db

USDT = 100_000_000


@pytest.fixture
def ada(client: Client) -> Trader:
    house()
    listed()
    ada, bob = trader(USDT="10000"), trader(USDT="10000", BTC="1")
    bob.sell("0.02", "50000")
    ada.buy("0.01", "50000")
    ada.buy("0.01", "50000")
    client.force_login(ada.user)
    return ada


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_limits_are_set_on_a_page(ada: Trader, client: Client) -> None:
    set_house_limits(
        actor=staff(), account=ada.account, wanted=LimitSet(max_daily_loss_minor=500 * USDT),
        now=clock.now(),
    )  # fmt: skip

    sent = client.post("/account/limits", {"max_daily_loss": "100", "max_open_orders": " 7 "})
    shown = text(client.get("/account/limits"))

    assert (sent.status_code, sent["Location"]) == (302, "/account/limits")
    assert limits_of(viewer=ada.user).own == LimitSet(
        max_open_orders=7, max_daily_loss_minor=100 * USDT
    )
    assert 'name="max_daily_loss" inputmode="decimal" autocomplete="off" value="100.00"' in shown
    assert "Your account has 500.00 USDT." in shown
    assert "Nothing at risk" not in shown


def test_a_form_that_is_saved_as_it_was_shown_loosens_nothing(ada: Trader, client: Client) -> None:
    set_own_limits(
        actor=ada.user, account=ada.account, now=clock.now(),
        wanted=LimitSet(max_daily_loss_minor=100 * USDT, breach_action=ONLY_SELL),
    )  # fmt: skip

    client.post("/account/limits", {"max_daily_loss": "100.00", "on_breach": ""})
    shown = text(client.get("/account/limits"))

    found = limits_of(viewer=ada.user)
    assert (found.own, found.later) == (LimitSet(max_daily_loss_minor=100 * USDT), None)
    assert "Your limits are set." in shown


def test_what_a_breach_does_is_chosen_on_the_page(ada: Trader, client: Client) -> None:
    client.post("/account/limits", {"max_daily_loss": "100", "on_breach": "kill"})
    chosen = text(client.get("/account/limits"))

    client.post("/account/limits", {"max_daily_loss": "100", "on_breach": ""})
    loosened = text(client.get("/account/limits"))
    wrong = client.post("/account/limits", {"on_breach": "sell everything"})

    assert '<option value="kill" selected>' in chosen
    assert "Once it is reached, you are stopped for 24 hours." in chosen
    assert '<option value="kill" selected>' in loosened
    assert "From then on you can only sell." in loosened
    assert wrong.status_code == 400
    assert "Choose one of: reduce_only, kill." in text(wrong)


def test_a_wider_limit_is_shown_with_its_time(ada: Trader, client: Client) -> None:
    client.post("/account/limits", {"max_daily_loss": "100"})

    shown = text(client.post("/account/limits", {"max_daily_loss": "200"}, follow=True))

    assert 'value="100.00"' in shown
    assert "From then on yours is 200.00." in shown


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"max_daily_loss": "lots"}, "Write the amount as plain digits"),
        ({"max_open_orders": "1.5"}, "At most 0 decimals"),
        ({"max_open_orders": "201"}, "can only be narrower"),
        ({"max_drawdown_percent": "101"}, "At most 100 is possible"),
    ],
)
def test_a_refusal_stands_at_its_field(
    ada: Trader, client: Client, typed: dict[str, str], words: str
) -> None:
    (value,) = typed.values()

    answer = client.post("/account/limits", typed)

    assert answer.status_code == 400
    shown = text(answer)
    assert words in shown
    assert f'value="{value}"' in shown
    assert shown.count('aria-invalid="true"') == 1
    assert limits_of(viewer=ada.user).own == LimitSet()


def test_who_may_only_sell_reads_why_on_both_pages(ada: Trader, client: Client) -> None:
    restrict_account(
        actor=staff(), account=ada.account, state=2, reason="A question", now=clock.now()
    )
    words = "Staff have restricted your account: A question. Ask support."

    limits, market = text(client.get("/account/limits")), text(client.get("/trade/BTC-USDT"))

    assert words in limits
    assert words in market
    assert "You can only sell." in market


def test_the_page_of_limits_costs_a_fixed_number_of_queries(
    ada: Trader, client: Client, django_assert_max_num_queries: Any
) -> None:
    client.get("/account/limits")

    with django_assert_max_num_queries(14):
        client.get("/account/limits")


def test_lots_are_listed_now_and_as_of_a_moment(ada: Trader, client: Client) -> None:
    now = text(client.get("/positions/BTC"))
    before = text(client.get("/positions/btc?as_of=2026-01-01T00:00"))
    wrong = client.get("/positions/BTC?as_of=yesterday")
    unknown = client.get("/positions/XYZ")

    assert now.count('<td class="number">0.01</td>') == 2
    assert '<td class="number">500.00</td>' in now
    assert "At that moment you had none." in before
    assert (wrong.status_code, unknown.status_code) == (400, 404)
    assert "Write the time like" in text(wrong)


@pytest.mark.parametrize("page", ["/account/limits", "/positions/BTC"])
def test_strangers_sign_in_first(client: Client, page: str) -> None:
    answer = client.get(page)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
