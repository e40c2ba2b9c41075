"""The demo world: what the README promises is there, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth import authenticate

from apps.accounts.models import User
from apps.local.demo import DEMO_EMAILS, DEMO_PASSWORD, HOUSE_FUNDS, build_demo_world
from apps.markets.actions import set_instrument
from apps.markets.models import Instrument
from apps.wallets.actions import MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID
from apps.wallets.models import Balance, LedgerEntry, TradingAccount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("engine_gateway")]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def build() -> None:
    build_demo_world(now=NOW, say=lambda _text: None)


def test_markets_people_and_funds_are_there() -> None:
    build()

    assert list(Instrument.objects.values_list("id", "symbol")) == [
        (1, "BTC-USDT"),
        (2, "ETH-USDT"),
        (3, "SOL-USDT"),
        (4, "XRP-USDT"),
        (5, "DOGE-USDT"),
        (6, "ETH-BTC"),
    ]
    for email in DEMO_EMAILS:
        person = User.objects.get(email=email)
        assert person.check_password(DEMO_PASSWORD)
        assert _available(owner=person) == {
            "USDT": 100_000 * 10**8,
            "BTC": 1 * 10**8,
            "ETH": 10 * 10**8,
        }


def test_only_the_staff_logins_are_staff() -> None:
    build()

    staff = set(User.objects.filter(is_staff=True).values_list("email", flat=True))
    assert staff == {"staff@example.com", "staff2@example.com"}


def test_the_house_can_make_markets() -> None:
    build()

    for account_id in (MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID):
        assert _available(id=account_id) == {
            code: units * 10**8 for code, units in HOUSE_FUNDS.items()
        }


def test_building_it_again_changes_nothing() -> None:
    build()
    before = (_counts(), list(Balance.objects.order_by("pk").values_list()))

    build()

    assert (_counts(), list(Balance.objects.order_by("pk").values_list())) == before


def test_a_person_who_is_there_keeps_a_changed_password() -> None:
    build()
    person = User.objects.get(email=DEMO_EMAILS[0])
    person.set_password("another-long-password")
    person.save()

    build()

    assert not User.objects.get(email=DEMO_EMAILS[0]).check_password(DEMO_PASSWORD)


def test_demo_people_can_sign_in() -> None:
    build()

    assert authenticate(email=DEMO_EMAILS[0], password=DEMO_PASSWORD) is not None


def _available(**whose: object) -> dict[str, int]:
    account = TradingAccount.objects.get(**whose)
    rows = Balance.objects.filter(account=account).select_related("asset").order_by("asset_id")
    return {row.asset.code: row.available_minor for row in rows}


def _counts() -> list[int]:
    return [model.objects.count() for model in (User, TradingAccount, Instrument, LedgerEntry)]


def test_markets_from_before_there_were_halts_get_them() -> None:
    build()
    market = Instrument.objects.get(symbol="BTC-USDT")
    set_instrument(actor=None, instrument=market, limit_state_seconds=0, halt_seconds=0)

    build()

    market.refresh_from_db()
    assert (market.limit_state_seconds, market.halt_seconds) == (15, 300)
