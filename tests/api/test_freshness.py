"""What a web process remembers between requests never decides one: changes hold for the next."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apps.accounts.models import SignIn, User
from apps.core import clock
from apps.core.errors import NotFound
from apps.engine.messages import SetInstrument
from apps.markets import queries
from apps.markets.actions import as_engine_has_it, set_instrument
from apps.markets.models import Instrument
from apps.markets.queries import recent_instrument
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.trades.models import Order
from apps.wallets.models import TradingAccount
from tests.api.conftest import LIMIT, Person, code_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
ORDERS = "/api/v1/orders"


def _change_from_elsewhere(**terms: Any) -> None:
    """Change the terms of BTC-USDT as another process does: nobody tells this one."""
    wanted = as_engine_has_it(Instrument.objects.get(symbol="BTC-USDT"))
    changed = msgspec.structs.replace(wanted, **terms)
    get_gateway().submit(SetInstrument(new_command_id(), valid_until_ns(5), changed))


def test_who_is_blocked_is_refused_at_once(ada: Person) -> None:
    assert ada.client.post(ORDERS, LIMIT).status_code == 201

    ada.user.is_active = False
    ada.user.save()

    assert code_of(ada.client.post(ORDERS, LIMIT)) == (401, "token_invalid")
    assert code_of(ada.client.get(ORDERS)) == (401, "token_invalid")
    assert Order.objects.count() == 1


def test_whose_sign_in_has_ended_is_refused_at_once(ada: Person) -> None:
    assert ada.client.post(ORDERS, LIMIT).status_code == 201

    SignIn.objects.filter(user=ada.user).update(ended_at=clock.now())

    assert code_of(ada.client.post(ORDERS, LIMIT)) == (401, "token_invalid")
    assert Order.objects.count() == 1


def test_an_account_that_has_moved_is_not_its_old_owners_at_once(ada: Person) -> None:
    account = TradingAccount.objects.get(owner=ada.user)
    named = {**LIMIT, "account": str(account.public_id)}
    assert ada.client.post(ORDERS, named).status_code == 201

    heir = User.objects.create(email="heir@example.com")
    TradingAccount.objects.filter(pk=account.pk).update(owner=heir)

    assert code_of(ada.client.post(ORDERS, named)) == (404, "unknown_account")
    assert Order.objects.count() == 1


def test_a_market_that_was_halted_elsewhere_takes_no_order(ada: Person) -> None:
    assert ada.client.post(ORDERS, LIMIT).status_code == 201

    _change_from_elsewhere(state=Instrument.State.HALTED)

    assert recent_instrument("BTC-USDT").state == Instrument.State.OPEN
    assert code_of(ada.client.post(ORDERS, LIMIT)) == (503, "trading_halted")
    assert ada.client.get("/api/v1/markets/BTC-USDT").json()["state"] == "halted"


def test_a_fee_that_was_changed_elsewhere_is_paid_at_once(ada: Person, bob: Person) -> None:
    ada.client.post(ORDERS, {**LIMIT, "side": "sell"})

    _change_from_elsewhere(taker_fee_ppm=2000)
    bought = bob.client.post(ORDERS, LIMIT).json()

    assert recent_instrument("BTC-USDT").taker_fee_ppm == 1000
    assert (bought["filled_quote"], bought["fee"]) == ("600.00", "1.20")


def test_a_market_is_spoken_of_as_it_was_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    kept = recent_instrument("BTC-USDT")
    Instrument.objects.filter(pk=kept.pk).update(min_notional_minor=1)

    with django_assert_num_queries(0):
        assert queries.recent_instruments()[kept.pk] is kept
        assert recent_instrument("BTC-USDT").min_notional_minor == 500_000_000
    assert queries.INSTRUMENT_SECONDS == 1.0
    monkeypatch.setattr(queries, "INSTRUMENT_SECONDS", 0.0)
    assert recent_instrument("BTC-USDT").min_notional_minor == 1


def test_a_market_changed_from_here_is_read_anew(ada: Person) -> None:
    kept = recent_instrument("BTC-USDT")

    set_instrument(actor=None, instrument=kept, taker_fee_ppm=2000)

    assert recent_instrument("BTC-USDT").taker_fee_ppm == 2000


@pytest.mark.parametrize("symbol", ["BTC-XXX", "", "x" * 300, None, ["BTC-USDT"]])
def test_what_is_no_market_is_not_remembered_as_one(symbol: Any) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            recent_instrument(symbol)
