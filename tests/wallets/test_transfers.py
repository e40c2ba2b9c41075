"""Transfers between people: one effect, nothing given away, nothing from nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import step_up
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError
from apps.core.models import OutboxEvent
from apps.wallets.actions import open_sub_account
from apps.wallets.models import Balance, LedgerEntry, TradingAccount
from apps.wallets.transfers.actions import look_up_left_behind, reference_of
from apps.wallets.transfers.models import InternalTransfer
from tests import factories
from tests.api.conftest import code_of
from tests.wallets.test_hostile_withdrawals import _at_once, _outcome

pytestmark = pytest.mark.django_db
TRANSFERS = "/api/v1/transfers"
ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def pair(settings: Any) -> tuple[factories.Trader, factories.Trader]:
    # No play money at each sign-in.
    settings.DEMO = False
    factories.listed("BTC-USDT")
    return factories.trader("ada@example.com", USDT="100"), factories.trader("bob@example.com")


def _client(who: factories.Trader, proved: bool = True) -> APIClient:
    client = APIClient()
    client.force_authenticate(who.user)
    if proved:
        _prove(client)
    return client


def _prove(client: Client) -> None:
    session = client.session
    session[step_up._SESSION_KEY] = clock.iso(clock.now())
    session.save()


def _send(who: factories.Trader, amount: str = "10", key: str | None = None, **given: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"to": "bob@example.com", "asset": "USDT", "amount": amount, **given}
    body = {name: value for name, value in body.items() if value is not None}
    return _client(who).post(TRANSFERS, body, headers=headers)


def _sub(who: factories.Trader, name: str = "Long term") -> TradingAccount:
    return open_sub_account(actor=who.user, name=name, now=clock.now())


def _has(account: TradingAccount) -> int:
    row = Balance.objects.filter(account=account, asset__code="USDT").first()
    return 0 if row is None else row.available_minor


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
        ({"to": None}, 400, "receiver_required"),
        ({"to_account": ABSENT}, 400, "receiver_required"),
        ({"to": None, "to_account": ABSENT}, 404, "unknown_account"),
        ({"to": None, "to_account": "main"}, 400, "invalid_id"),
        ({"account": ABSENT}, 404, "unknown_account"),
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


def test_row_37_what_leaves_takes_a_fresh_proof_and_what_stays_does_not(pair: Pair) -> None:
    ada, bob = pair
    inside = _sub(ada)
    body = {"asset": "USDT", "amount": "10"}
    unproved = _client(ada, proved=False)

    refused = unproved.post(TRANSFERS, {**body, "to": "bob@example.com"})
    moved = unproved.post(TRANSFERS, {**body, "to_account": str(inside.public_id)})

    assert code_of(refused) == (403, "step_up_required")
    assert (moved.status_code, moved.json()["direction"]) == (201, "own")
    assert (_has(inside), bob.has("USDT")) == (ada.has("USDT")[0] // 9, (0, 0))


def test_both_sides_find_it_in_their_lists_as_they_may(pair: Pair) -> None:
    ada, bob = pair
    inside = _sub(ada)
    _send(ada, "1", to_account=str(inside.public_id), to=None)
    _send(ada, "2", to="bob@example.com")
    _send(ada, "500")
    hers, his = _client(ada), _client(bob)

    first = hers.get(TRANSFERS, {"limit": 1}).json()
    second = hers.get(TRANSFERS, {"limit": 1, "cursor": first["next"]}).json()
    (received,) = his.get(TRANSFERS).json()["items"]

    (sent,), (own,) = first["items"], second["items"]
    assert second["next"] is None
    assert (sent["direction"], sent["to"], sent["amount"]) == ("sent", "bob@example.com", "2.00")
    assert (own["direction"], own["to_account"]) == ("own", str(inside.public_id))
    assert (received["direction"], received["sender"], received["to"]) == ("received", "ada", None)
    assert "ada@" not in str(received)
    assert code_of(hers.get(TRANSFERS, {"cursor": "1"})) == (400, "invalid_cursor")


def test_row_18_nobody_moves_through_an_account_of_somebody_else(pair: Pair) -> None:
    ada, bob = pair
    theirs = str(_sub(bob).public_id)

    for given in ({"account": theirs}, {"to": None, "to_account": theirs}):
        assert code_of(_send(ada, **given)) == (404, "unknown_account")
    mine = str(ada.account.public_id)
    assert code_of(_send(ada, to=None, to_account=mine)) == (422, "same_account")
    assert InternalTransfer.objects.count() == 0


def test_further_accounts_have_names_and_an_end(pair: Pair) -> None:
    ada, _ = pair
    client, path = _client(ada), "/api/v1/accounts"

    made = client.post(path, {"name": "  Long   term "})
    again = client.post(path, {"name": "long term"})
    rest = [client.post(path, {"name": f"Number {n}"}).status_code for n in range(10)]
    bad = [
        code_of(client.post(path, body))
        for body in ({"name": " "}, {"name": "\u202ecod"}, {"name": "x" * 41},
                     {"name": "x", "kind": "house"})
    ]  # fmt: skip
    names = [row["name"] for row in client.get(path).json()["items"]]

    assert (made.status_code, made.json()["name"]) == (201, "Long term")
    assert code_of(again) == (409, "account_exists")
    assert rest == [201] * 9 + [422]
    assert bad == [(400, "invalid_name")] * 2 + [(400, "invalid_text"), (400, "unknown_field")]
    assert names[:2] == ["Main", "Long term"]
    assert len(names) == 11
    User.objects.filter(pk=ada.user.pk).update(frozen_at=clock.now())
    with pytest.raises(DomainError, match="frozen"):
        _sub(ada, "One more")


def test_the_page_shows_once_more_what_is_about_to_leave(pair: Pair) -> None:
    ada, bob = pair
    client, where = Client(), "/wallet/transfers"
    client.force_login(ada.user)
    unproved = client.get(where).content.decode()
    typed = {"to": "bob@example.com", "asset": "USDT", "amount": "10", "key": "k1"}
    here = {"Referer": f"http://testserver{where}"}
    asked = client.post(where, {**typed, "do": "send"}, headers=here)
    _prove(client)

    review = client.post(where, {**typed, "do": "review"}).content.decode()
    before = bob.has("USDT")
    sent = [client.post(where, {**typed, "do": "send"}) for _ in range(2)]
    page = client.get(where).content.decode()
    wrong = client.post(where, {**typed, "do": "review", "amount": "1e3"})
    stranger = client.post(where, {**typed, "do": "send", "to": "<b>x</b>", "key": "k2"})

    assert "Confirm that it is you" in unproved
    assert asked["Location"] == "/security/confirm?next=%2Fwallet%2Ftransfers"
    assert "Is this right?" in review
    assert before == (0, 0)
    assert [each.status_code for each in sent] == [302, 302]
    assert bob.has("USDT")[0] * 9 == ada.has("USDT")[0]
    assert "to bob@example.com" in page
    assert (wrong.status_code, stranger.status_code) == (400, 404)
    assert "<b>x" not in stranger.content.decode()


def test_the_page_moves_between_accounts_and_opens_them(pair: Pair) -> None:
    ada, bob = pair
    client, where = Client(), "/wallet/transfers"
    client.force_login(ada.user)
    client.post("/wallet/accounts", {"name": "Long term"})
    inside = TradingAccount.objects.get(owner=ada.user, kind="sub")

    client.post(where, {
        "do": "move", "asset": "USDT", "amount": "10", "account": str(ada.account.public_id),
        "to_account": str(inside.public_id), "key": "k1",
    })  # fmt: skip
    page = client.get(where).content.decode()
    its_wallet = client.get("/wallet", {"account": str(inside.public_id)}).content.decode()
    client.force_login(bob.user)
    strangers = client.get("/wallet", {"account": str(inside.public_id)})

    assert _has(inside) * 9 == ada.has("USDT")[0]
    assert "Main to Long term" in page
    assert "10.00" in its_wallet
    assert 'aria-label="Deposit ' not in its_wallet
    assert strangers.status_code == 404


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
