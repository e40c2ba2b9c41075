"""Transfers between people: one effect, nothing given away, nothing from nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.core import clock
from apps.core.models import OutboxEvent
from apps.wallets.models import LedgerEntry
from apps.wallets.transfers.actions import look_up_left_behind, reference_of
from apps.wallets.transfers.models import InternalTransfer
from tests import factories
from tests.api.conftest import code_of
from tests.wallets.test_hostile_withdrawals import _at_once, _outcome

pytestmark = pytest.mark.django_db
TRANSFERS = "/api/v1/transfers"
UNIT = 10**6


@pytest.fixture
def pair(settings: Any) -> tuple[factories.Trader, factories.Trader]:
    # No play money at each sign-in.
    settings.DEMO = False
    factories.listed("BTC-USDT")
    return factories.trader("ada@example.com", USDT="100"), factories.trader("bob@example.com")


def _client(who: factories.Trader) -> APIClient:
    client = APIClient()
    client.force_authenticate(who.user)
    return client


def _send(who: factories.Trader, amount: str = "10", key: str | None = None, **given: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"to": "bob@example.com", "asset": "USDT", "amount": amount, **given}
    return _client(who).post(TRANSFERS, body, headers=headers)


Pair = tuple[factories.Trader, factories.Trader]


def test_it_moves_at_once_and_tells_no_more_than_needed(pair: Pair) -> None:
    ada, bob = pair
    whole = ada.has("USDT")[0]

    by_mail = _send(ada)
    by_id = _send(ada, to=str(bob.user.public_id))

    assert (by_mail.status_code, by_id.status_code) == (201, 201)
    assert (ada.has("USDT")[0], bob.has("USDT")[0]) == (whole * 80 // 100, whole * 20 // 100)
    row = InternalTransfer.objects.order_by("id")[0]
    entries = LedgerEntry.objects.filter(reference=reference_of(row))
    assert sorted(entry.amount_minor for entry in entries) == [-whole // 10, whole // 10]
    told = [event.data for event in OutboxEvent.objects.filter(topic="notice")]
    assert [each["person_id"] for each in told] == [bob.user.pk] * 2
    assert told[0]["data"] == {"amount": "10", "asset": "USDT", "sender": "ada"}
    assert "bob" not in str(by_id.json())


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"to": "nobody@example.com"}, 404, "unknown_receiver"),
        ({"to": "x"}, 404, "unknown_receiver"),
        ({"to": "ada@example.com"}, 422, "own_account"),
        ({"amount": "101"}, 422, "insufficient_funds"),
        ({"amount": "-1"}, 400, "invalid_amount"),
        ({"amount": 1}, 400, "amount_must_be_string"),
        ({"asset": "NONE"}, 404, "unknown_asset"),
        ({"from_account": 2}, 400, "unknown_field"),
    ],
)
def test_what_cannot_be_is_refused(pair: Pair, given: Any, status: int, code: str) -> None:
    ada, bob = pair

    assert code_of(_send(ada, **given)) == (status, code)
    assert bob.has("USDT") == (0, 0)


def test_whose_account_is_frozen_sends_nothing(pair: Pair) -> None:
    ada, bob = pair
    User.objects.filter(pk=ada.user.pk).update(frozen_at=clock.now())
    frozen = _send(ada)
    User.objects.filter(pk=ada.user.pk).update(frozen_at=None, security_changed_at=clock.now())
    changed = _send(ada)

    assert code_of(frozen) == (403, "account_frozen")
    assert code_of(changed) == (423, "security_freeze")
    assert bob.has("USDT") == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_row_11_thirty_at_once_with_the_whole_balance(pair: Pair) -> None:
    ada, bob = pair
    whole = ada.has("USDT")

    outcomes = _at_once(30, lambda _: (_send(ada, "100").status_code, ""))

    assert outcomes == {(201, ""): 1, (422, ""): 29}
    assert (ada.has("USDT"), bob.has("USDT")) == ((0, 0), whole)


@pytest.mark.django_db(transaction=True)
def test_row_13_thirty_at_once_with_one_key(pair: Pair) -> None:
    ada, bob = pair

    outcomes = _at_once(30, lambda _: _outcome(_send(ada, "10", "key-1")))

    assert {code for _, code in outcomes} <= {None, "in_progress"}
    assert InternalTransfer.objects.count() == 1
    assert bob.has("USDT")[0] * 9 == ada.has("USDT")[0]


@pytest.mark.parametrize("moved", [True, False])
def test_what_was_left_behind_is_looked_up(pair: Pair, moved: bool) -> None:
    ada, bob = pair
    _send(ada)
    row = InternalTransfer.objects.get()
    InternalTransfer.objects.update(state="new")
    if not moved:
        InternalTransfer.objects.update(public_id="00000000-0000-4000-8000-000000000001")
    before = bob.has("USDT")

    look_up_left_behind(now=clock.now())
    early = InternalTransfer.objects.get().state
    look_up_left_behind(now=clock.now() + timedelta(minutes=3))
    row.refresh_from_db()

    assert (early, row.state) == ("new", "done" if moved else "refused")
    assert bob.has("USDT") == before
