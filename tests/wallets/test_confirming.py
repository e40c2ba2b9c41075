"""Confirming a withdrawal by second factor: API, site, and what is no such thing."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.accounts.factors import actions as factors
from apps.accounts.factors import passkeys, totp
from apps.accounts.models import User
from apps.core import clock, outbox
from apps.wallets.models import Withdrawal, WithdrawalAddress
from apps.wallets.withdrawals import codes
from tests import factories
from tests.accounts.software_key import SoftwareKey
from tests.api.conftest import Person, code_of
from tests.wallets.test_hostile_withdrawals import _entry, _post, _signed_in, ada

__all__ = ["ada"]
pytestmark = pytest.mark.django_db
TWO_DAYS = timedelta(days=2)


@pytest.fixture
def secret(ada: Person) -> str:
    """Ada's authenticator app, set up two days ago."""
    made, then = totp.new_secret(), clock.now() - TWO_DAYS
    factors.add_totp(
        actor=ada.user, secret=made, code=_code(made, TWO_DAYS), proved_at=then, now=then
    )
    return made


@pytest.fixture
def blue_key(ada: Person) -> SoftwareKey:
    """Ada's passkey, made two days ago."""
    made, then = SoftwareKey(), clock.now() - TWO_DAYS
    options, state = passkeys.begin_registration(
        host="testserver", person_key=ada.user.public_id.bytes, email=ada.user.email, name="Ada",
        known=(),
    )  # fmt: skip
    factors.add_passkey(
        actor=ada.user, name="Blue", answer=made.register(options), state=state,
        host="testserver", proved_at=then, now=then,
    )  # fmt: skip
    return made


def _code(secret: str, ago: timedelta = timedelta(0)) -> str:
    return totp.code_at(secret, int((clock.now() - ago).timestamp()) // totp.STEP_SECONDS)


def _asked(who: Person, amount: str = "10") -> dict[str, Any]:
    known = WithdrawalAddress.objects.filter(person=who.user).first()
    entry = _entry(who) if known is None else str(known.public_id)
    made: dict[str, Any] = _post(who, amount=amount, address_id=entry).json()
    return made


def _path(made: dict[str, Any], what: str = "confirm") -> str:
    return f"/api/v1/withdrawals/{made['id']}/{what}"


def test_the_app_confirms_and_no_letter_does(ada: Person, secret: str) -> None:
    made = _asked(ada)
    outbox.deliver(now=clock.now())
    row = Withdrawal.objects.get()

    by_mail = ada.client.post(_path(made), {"code": codes.code_of(row)})
    letter = ada.client.post(_path(made, "code"), {})
    confirmed = ada.client.post(_path(made), {"code": _code(secret)})
    again = ada.client.post(_path(made), {"code": _code(secret)})

    assert made["confirm_by"] == ["totp", "recovery_code"]
    assert not [each for each in mail.outbox if "your code" in each.subject]
    assert code_of(by_mail) == (400, "wrong_code")
    assert code_of(letter) == (409, "second_factor_required")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "approved")
    assert confirmed.json()["confirm_by"] == []
    assert code_of(again) == (409, "withdrawal_state")


def test_wrong_ones_are_counted_and_the_fifth_calls_it_off(ada: Person, secret: str) -> None:
    made = _asked(ada)

    told = [code_of(ada.client.post(_path(made), {"code": "abcde-fghij"})) for _ in range(5)]

    assert told == [(400, "wrong_code")] * 4 + [(422, "withdrawal_cancelled")]
    assert User.objects.get(pk=ada.user.pk).wrong_codes == 5
    other = _asked(ada, "5")
    for _ in range(4):
        ada.client.post(_path(other), {"code": "abcde-fghij"})
    ada.client.post(_path(_asked(ada, "4")), {"code": "abcde-fghij"})
    locked = ada.client.post(_path(other), {"code": _code(secret)})
    assert code_of(locked) == (429, "too_many_attempts")
    assert Withdrawal.objects.get(public_id=other["id"]).state == "requested"


def test_a_passkey_confirms_over_the_api(ada: Person, blue_key: SoftwareKey) -> None:
    made, other = _asked(ada, "10"), _asked(ada, "5")
    begun = ada.client.post(_path(other, "passkey"), {}).json()["passkey"]

    unasked = ada.client.post(_path(made), {"passkey": blue_key.answer(begun)})
    foreign = ada.client.post(_path(made, "passkey"), {})
    crossed = ada.client.post(_path(made), {"passkey": blue_key.answer(begun)})
    used_up = ada.client.post(_path(made), {"passkey": blue_key.answer(foreign.json()["passkey"])})
    anew = ada.client.post(_path(made, "passkey"), {}).json()["passkey"]
    confirmed = ada.client.post(_path(made), {"passkey": blue_key.answer(anew)})

    assert code_of(unasked) == (400, "invalid_passkey")
    assert code_of(crossed) == (400, "wrong_code")
    assert code_of(used_up) == (400, "invalid_passkey")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "approved")
    assert Withdrawal.objects.get(public_id=other["id"]).state == "requested"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"code": 123456}, "invalid_text"),
        ({"code": "1" * 21}, "invalid_text"),
        ({"code": "\u0000"}, "parse_error"),
        ({"passkey": "x"}, "invalid_passkey"),
        ({"passkey": {"id": []}}, "invalid_passkey"),
        ({"code": "000000", "proved_with_factor": True}, "unknown_field"),
    ],
)
def test_what_is_no_second_factor_confirms_nothing(
    ada: Person, secret: str, body: Any, code: str
) -> None:
    made = _asked(ada)

    assert code_of(ada.client.post(_path(made), body)) == (400, code)
    assert Withdrawal.objects.get().state == "requested"


def test_a_stranger_neither_confirms_nor_begins(ada: Person, secret: str) -> None:
    made = _asked(ada)
    factories.trader("bob@example.com")
    bob = _signed_in("bob@example.com")

    for what, body in (("confirm", {"code": _code(secret)}), ("passkey", {})):
        assert code_of(bob.client.post(_path(made, what), body)) == (404, "unknown_withdrawal")
    assert code_of(ada.client.post(_path(made, "passkey"), {})) == (422, "no_passkey")
    assert Withdrawal.objects.get().state == "requested"


def test_the_page_takes_what_a_passkey_answers(ada: Person, blue_key: SoftwareKey) -> None:
    made, client = _asked(ada), Client()
    client.force_login(ada.user)
    where = f"/wallet/withdrawals/{made['id']}"

    page = client.get(where).content.decode()
    part = client.get(where, headers={"HX-Request": "true"}).content.decode()
    found = re.search(r'data-options="([^"]+)"', page)
    assert found is not None
    options = json.loads(found[1].replace("&quot;", '"'))
    junk = client.post(where, {"do": "confirm", "passkey": "{"})
    options = json.loads(
        re.findall(r'data-options="([^"]+)"', junk.content.decode())[0].replace("&quot;", '"')
    )
    answer = json.dumps(blue_key.answer(options))
    client.post(where, {"do": "confirm", "passkey": answer, "code": ""})

    assert "data-options" not in part
    assert "Confirm with a passkey" in page
    assert junk.status_code == 400
    assert Withdrawal.objects.get().state == "approved"
