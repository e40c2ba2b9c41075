"""Thirty at the same moment, by thirty threads and a real database: one effect, whoever wins.

Orders are in ``test_idempotency``, withdrawals in ``wallets/test_hostile_withdrawals``, transfers
in ``wallets/test_transfers``, verifications in ``accounts/test_kyc``; here is what was left.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.core import mail
from rest_framework.test import APIClient

from apps.accounts.models import RefreshToken, SignIn, User
from apps.core import clock
from apps.core.errors import DomainError
from apps.matching.gateway import Gateway
from apps.wallets.custody.models import ChainTransaction
from apps.wallets.models import LedgerEntry
from apps.wallets.withdrawals import codes, reviewing, sending
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalStep
from tests.api.conftest import Person, code_of
from tests.wallets.test_hostile_withdrawals import _at_once, _entry, _held, _outcome, _post
from tests.wallets.test_hostile_withdrawals import ada as rich
from tests.wallets.withdrawing import reviewer

pytestmark = pytest.mark.django_db(transaction=True)
THIRTY: Final = 30
__all__ = ["rich"]


def test_thirty_sign_ups_with_one_address_make_one_person(
    engine_gateway: Gateway, settings: Any
) -> None:
    settings.DEMO = False
    body = {"email": "grace@example.com", "password": "four plain words here"}

    def sign_up(index: int) -> tuple[int, str]:
        # One address in thirty ways to write it.
        email = body["email"].upper() if index % 2 else body["email"]
        asked = {**body, "email": email, "display_name": f"Grace {index}"}
        response = APIClient().post("/api/v1/auth/sign-up", asked)
        return response.status_code, response.json()["detail"]

    outcomes = _at_once(THIRTY, sign_up)

    assert outcomes == {(202, "A letter is on its way. It says how to go on."): THIRTY}
    grace = User.objects.get()
    assert grace.email == "grace@example.com"
    assert grace.trading_accounts.count() == 1
    # Whoever came second is told by letter, at the same address, and nobody else learns of it.
    assert {letter.to[0].lower() for letter in mail.outbox} == {"grace@example.com"}
    assert sum("already" not in letter.body for letter in mail.outbox) == 1


def test_thirty_refreshes_of_one_token_make_one_successor(ada: Person) -> None:
    def refresh(_: int) -> tuple[int, str]:
        response = APIClient().post("/api/v1/auth/token/refresh", {"refresh": ada.tokens.refresh})
        if response.status_code == 200:
            return 200, response.json()["refresh"]
        return code_of(response)

    outcomes = _at_once(THIRTY, refresh)

    given = {refresh for status, refresh in outcomes if status == 200}
    assert len(given) == 1
    assert {outcome for outcome in outcomes if outcome[0] != 200} <= {(401, "token_invalid")}
    assert RefreshToken.objects.filter(used_at=None).count() == 1
    assert SignIn.objects.get().ended_at is None


def test_thirty_confirmations_and_cancellations_have_one_outcome(rich: Person) -> None:
    whole = _held(rich)[0]
    name = _post(rich, amount="100", address_id=_entry(rich)).json()["id"]
    code = codes.code_of(Withdrawal.objects.get())

    def decide(index: int) -> tuple[int, str]:
        path = f"/api/v1/withdrawals/{name}"
        if index % 2:
            return _outcome(rich.client.post(f"{path}/confirm", {"code": code}))
        return _outcome(rich.client.post(f"{path}/cancel", {}))

    _at_once(THIRTY, decide)

    row = Withdrawal.objects.get()
    steps = list(WithdrawalStep.objects.order_by("id").values_list("state", flat=True))
    if row.state == "cancelled":
        assert _held(rich) == (whole, 0)
    else:
        assert _held(rich) == (0, whole)
    assert len(steps) == len(set(steps))
    assert LedgerEntry.objects.filter(kind="withdrawal").count() == 0


def test_two_members_of_staff_agree_thirty_times_and_it_is_sent_once(
    rich: Person, settings: Any
) -> None:
    settings.WITHDRAWAL_AUTOMATIC_BELOW = 1
    name = _post(rich, amount="100", address_id=_entry(rich)).json()["id"]
    code = codes.code_of(Withdrawal.objects.get())
    rich.client.post(f"/api/v1/withdrawals/{name}/confirm", {"code": code})
    row = Withdrawal.objects.get()
    assert (row.state, row.approvals_needed) == ("risk_review", 2)
    two = [reviewer(), reviewer()]

    def approve(index: int) -> tuple[int, str]:
        try:
            reviewing.approve_withdrawal(
                actor=two[index % 2], withdrawal_id=row.pk, reason="Looked at", now=clock.now()
            )
        except DomainError as refusal:
            return 409, refusal.code
        return 200, ""

    def send(_: int) -> tuple[int, str]:
        sending.advance_all(now=clock.now())
        return 200, ""

    outcomes = _at_once(THIRTY, approve)
    _at_once(10, send)

    row.refresh_from_db()
    assert outcomes[200, ""] == 2
    assert (row.state, row.approvals.count()) == ("broadcast", 2)
    assert WithdrawalStep.objects.filter(withdrawal=row, state="broadcast").count() == 1
    assert ChainTransaction.objects.exclude(own_id=None).count() == 1
