"""Deleting a person: what stands in the way, the time to think, and what is left afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions as people
from apps.accounts import freezing, letters
from apps.accounts.factors import actions as factors
from apps.accounts.factors import totp
from apps.accounts.keys.actions import create_key
from apps.accounts.models import ApiKey, Deletion, Letter, SignIn, SignInRecord, User, Verification
from apps.accounts.personal import actions, deleting
from apps.accounts.personal.obstacles import obstacles_of
from apps.core import clock, outbox
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, Refused
from apps.core.models import AuditedRow, OutboxEvent
from apps.engine.messages import Leg, Transfer
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.notifications.models import Notice
from apps.trades.models import Order, Restriction
from apps.trades.risk import actions as risk
from apps.wallets.models import (
    Balance,
    InternalTransfer,
    LedgerEntry,
    TradingAccount,
    WithdrawalAddress,
)
from tests.api.conftest import code_of
from tests.factories import PASSWORD, fund, house, listed, person, staff, trader

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("engine_gateway")]
EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def _no_play_money(settings: Any) -> None:
    settings.DEMO = False


def _ask(ada: User, now: datetime) -> Deletion:
    return deleting.ask_for_deletion(actor=ada, confirmation=EMAIL, proved_at=now, now=now)


def _told(kind: str) -> int:
    return OutboxEvent.objects.filter(topic="notice", data__kind=kind).count()


def _deleted(ada: User) -> User:
    """Ask, let two weeks pass, and let both passes come."""
    now = clock.now()
    due = _ask(ada, now).due_at
    assert deleting.delete_people(now=due - timedelta(seconds=1)) == 0
    assert deleting.delete_people(now=due) == 0
    assert deleting.delete_people(now=due + timedelta(minutes=9)) == 0
    assert deleting.delete_people(now=due + timedelta(minutes=11)) == 1
    ada.refresh_from_db()
    return ada


def test_it_takes_a_fresh_proof_and_the_address_typed_again() -> None:
    ada, now = person(EMAIL), clock.now()
    ask: Any = deleting.ask_for_deletion

    with pytest.raises(NotAllowed) as stale:
        ask(actor=ada, confirmation=EMAIL, proved_at=now - timedelta(minutes=16), now=now)
    assert stale.value.code == "step_up_required"
    for typed in ("", "yes", "bob@example.com", f"{EMAIL}x", "\x00"):
        with pytest.raises(Invalid) as wrong:
            ask(actor=ada, confirmation=typed, proved_at=now, now=now)
        assert wrong.value.code == "confirmation_wrong"
    assert not Deletion.objects.exists()

    ask(actor=ada, confirmation=f" {EMAIL.upper()} ", proved_at=now, now=now)
    assert _told("deletion_asked") == 1


def test_everything_that_stands_in_the_way_has_its_code() -> None:
    house()
    listed()
    ada, now = trader(EMAIL, USDT="1000"), clock.now()
    ada.buy("0.001", "60000")
    helper = staff("helper@example.com")
    restricted = risk.restrict_account(
        actor=helper, account=ada.account, state=2, reason="Looks odd.", now=now
    )
    Verification.objects.create(person=ada.user, tier=2, status="waiting", began_at=now)

    with pytest.raises(Refused) as refusal:
        _ask(ada.user, now)

    assert refusal.value.code == "balance_left"
    assert "Nothing was deleted." in refusal.value.message
    codes = ["balance_left", "hold_left", "open_orders", "restricted", "verification_open"]
    if Order.objects.filter(status="open").count() == 0:
        codes = ["balance_left", "restricted", "verification_open"]
    assert refusal.value.data["obstacles"] == codes
    assert [each.code for each in obstacles_of(helper)] == ["staff_account"]
    risk.lift_restriction(actor=helper, restriction=restricted, reason="It was fine.", now=now)
    assert "restricted" not in [each.code for each in obstacles_of(ada.user)]
    User.objects.filter(pk=ada.user.pk).update(frozen_at=now)
    with pytest.raises(NotAllowed) as frozen:
        _ask(ada.user, now)
    assert frozen.value.code == "account_frozen"
    assert not Deletion.objects.exists()


def test_twice_is_once_and_taking_it_back_is_as_if_nothing_was() -> None:
    ada, now = person(EMAIL), clock.now()
    deletion = _ask(ada, now)

    with pytest.raises(Conflict):
        _ask(ada, now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Deletion.objects.create(person=ada, asked_at=now, due_at=now)
    deleting.take_back(actor=ada, now=now)
    with pytest.raises(NotFound):
        deleting.take_back(actor=ada, now=now)

    assert deleting.delete_people(now=deletion.due_at + timedelta(days=1)) == 0
    ada.refresh_from_db()
    assert (ada.email, ada.is_active) == (EMAIL, True)
    assert _told("deletion_taken_back") == 1
    again = _ask(ada, now + timedelta(minutes=1))
    assert again.due_at == now + timedelta(days=14, minutes=1)


def test_what_is_left_says_nothing_of_who_it_was() -> None:
    house()
    listed()
    ada, bob = trader(EMAIL, USDT="61"), trader("bob@example.com", BTC="0.001")
    bob.sell("0.001", "60000")
    ada.buy("0.001", "60000")
    ada.sell("0.001", "59000", time_in_force="ioc")
    now, user = clock.now(), ada.user
    create_key(
        actor=user, name="Ada's bot", scopes=["read"], networks=[], expires_at=None,
        public_key=None, proved_at=now, now=now,
    )  # fmt: skip
    secret = totp.new_secret()
    factors.add_totp(
        actor=user, secret=secret, proved_at=now, now=now,
        code=totp.code_at(secret, int(now.timestamp()) // totp.STEP_SECONDS),
    )  # fmt: skip
    WithdrawalAddress.objects.create(
        person=user, asset_id=1, chain="sim", address="x", label="Home", created_at=now,
        usable_at=now,
    )  # fmt: skip
    sub = TradingAccount.objects.create(
        owner=user, kind="sub", name="Ada's pot", trade_group=user.pk, created_at=now
    )
    InternalTransfer.objects.create(
        sender=bob.user, receiver=user, from_account=bob.account, to_account=ada.account,
        asset_id=1, amount_minor=1, written_to=EMAIL, state="done", at=now,
    )  # fmt: skip
    pair = people.open_sign_in(actor=user, client="app", address="192.0.2.1", now=now)
    browser = Client()
    browser.force_login(user)
    outbox.deliver(now=now)
    assert Notice.objects.filter(person=user).exists()
    _empty(ada.account)
    kept = LedgerEntry.objects.filter(account=ada.account).count()
    mail.outbox.clear()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transaction, "on_commit", lambda run: run())
        _deleted(user)
    outbox.deliver(now=now + timedelta(days=15))

    assert (user.display_name, user.is_active) == ("Deleted person", False)
    assert user.email == f"{user.public_id.hex}@deleted.invalid"
    assert not user.has_usable_password()
    for rows in (
        SignIn.objects.filter(user=user), SignInRecord.objects.filter(user=user),
        Authenticator.objects.filter(user=user), ApiKey.objects.filter(person=user),
        EmailAddress.objects.filter(user=user), Letter.objects.filter(person=user),
        Notice.objects.filter(person=user), WithdrawalAddress.objects.filter(person=user),
    ):  # fmt: skip
        assert not rows.exists()
    assert LedgerEntry.objects.filter(account=ada.account).count() == kept
    assert Order.objects.filter(account=ada.account).exists()
    assert InternalTransfer.objects.get().written_to == "Deleted person"
    blocked = Restriction.objects.filter(lifted_at=None, state=Restriction.State.BLOCKED)
    assert set(blocked.values_list("account", flat=True)) == {ada.account.pk, sub.pk}
    sub.refresh_from_db()
    assert sub.name == f"Account {sub.pk}"
    _check_nobody_gets_in(user, pair, browser)
    _check_trail(user)
    assert [
        (letter.to, letter.subject) for letter in mail.outbox if "deleted" in letter.subject
    ] == [([EMAIL], "SUM+1: Your account is deleted")]
    assert person(EMAIL).pk != user.pk


def _empty(account: TradingAccount) -> None:
    """Send whatever is there to somebody else."""
    theirs = trader().account
    for row in Balance.objects.filter(account=account, available_minor__gt=0):
        legs = (
            Leg(account.id, row.asset_id, -row.available_minor),
            Leg(theirs.id, row.asset_id, row.available_minor),
        )
        get_gateway().submit(Transfer(new_command_id(), valid_until_ns(5), legs, "test"))


def _check_nobody_gets_in(user: User, pair: Any, browser: Client) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert code_of(client.get("/api/v1/me")) == (401, "token_invalid")
    assert browser.get("/security").status_code == 302
    for email in (EMAIL, user.email):
        with pytest.raises(NotSignedIn):
            people.check_credentials(email=email, password=PASSWORD, now=clock.now())
        Client().post("/accounts/password/reset/", {"email": email})
    assert not [letter for letter in mail.outbox if "/password/reset/key/" in letter.body]
    with pytest.raises(NotSignedIn):
        people.rotate_refresh(refresh=pair.refresh, now=clock.now())
    letters.write(person=user, subject="Lost", text="", now=clock.now())
    assert not Letter.objects.exists()


def _check_trail(user: User) -> None:
    events: Any = apps.get_model("accounts", "UserEvent")
    rows = events.objects.filter(pgh_obj_id=user.pk)
    assert rows.count() > 3
    assert set(rows.values_list("email", "display_name")) == {(user.email, "Deleted person")}
    newest = rows.order_by("-pgh_id").first()
    assert newest.pgh_context.metadata["reason"] == "The person asked to be deleted."
    keys: Any = apps.get_model("accounts", "ApiKeyEvent")
    assert set(keys.objects.values_list("name", flat=True)) == {""}
    book = AuditedRow.objects.filter(table_name="wallets_withdrawaladdress")
    assert [(row.label, row.row) for row in book.order_by("pk")] == [
        (label, {"person_id": user.pk}) for label in ("insert", "delete")
    ]


def test_money_that_comes_meanwhile_holds_it_up_and_lets_the_person_in_again() -> None:
    ada, now = trader(EMAIL), clock.now()
    due = _ask(ada.user, now).due_at
    deleting.delete_people(now=due)
    ada.user.refresh_from_db()
    assert not ada.user.is_active
    with pytest.raises(NotFound):
        deleting.take_back(actor=ada.user, now=due)
    fund(ada.account, "USDT", "5")

    for minutes in (11, 16, 21):
        assert deleting.delete_people(now=due + timedelta(minutes=minutes)) == 0

    ada.user.refresh_from_db()
    assert (ada.user.is_active, ada.user.email) == (True, EMAIL)
    deletion = Deletion.objects.get()
    assert (deletion.held_up_by, deletion.closed_at) == ("balance_left", None)
    assert _told("deletion_held_up") == 1
    topics = OutboxEvent.objects.filter(topic__startswith="person_").order_by("id")
    assert list(topics.values_list("topic", flat=True)) == ["person_closed", "person_opened_again"]
    outbox.deliver(now=due + timedelta(hours=1))
    assert not Restriction.objects.filter(lifted_at=None).exists()
    _empty(ada.account)
    deleting.delete_people(now=due + timedelta(days=1))
    assert deleting.delete_people(now=due + timedelta(days=1, minutes=11)) == 1
    assert deleting.delete_people(now=due + timedelta(days=2)) == 0


def test_who_was_switched_off_by_staff_is_neither_deleted_nor_let_in_again() -> None:
    ada, now = person(EMAIL), clock.now()
    due = _ask(ada, now).due_at
    User.objects.filter(pk=ada.pk).update(is_active=False)

    for minutes in (0, 11, 22):
        assert deleting.delete_people(now=due + timedelta(minutes=minutes)) == 0

    ada.refresh_from_db()
    assert (ada.is_active, ada.email) == (False, EMAIL)
    assert Deletion.objects.get().closed_at is None


def test_who_is_frozen_while_closed_stays_frozen() -> None:
    ada, now = trader(EMAIL), clock.now()
    due = _ask(ada.user, now).due_at
    deleting.delete_people(now=due)
    freezing.freeze(actor=ada.user, now=due)
    later = due + timedelta(minutes=11)

    assert deleting.delete_people(now=later) == 0
    outbox.deliver(now=later)

    assert Deletion.objects.get().held_up_by == "account_frozen"
    assert Restriction.objects.filter(account=ada.account, lifted_at=None).count() == 1


def test_a_copy_goes_with_its_person(settings: Any, tmp_path: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    ada, now = person(EMAIL), clock.now()
    actions.ask_for_export(actor=ada, proved_at=now, now=now)
    actions.make_exports(now=now)

    _deleted(ada)

    assert list((tmp_path / "exports").iterdir()) == []
    assert actions.make_exports(now=now + timedelta(days=20)) == 0


def test_on_the_page_and_through_the_api() -> None:
    ada = person(EMAIL)
    browser = Client()
    browser.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD})
    client = APIClient()
    pair = people.open_sign_in(actor=ada, client="app", address="192.0.2.1", now=clock.now())
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")

    wrong = browser.post("/security/data/deletion", {"confirmation": "no@example.com"})
    assert "not the address of your account" in wrong.content.decode()
    assert browser.post("/security/data/deletion", {"confirmation": EMAIL}).status_code == 302
    assert "is to be deleted" in browser.get("/security/data").content.decode()
    body = {"confirmation": EMAIL}
    assert code_of(client.post("/api/v1/me/deletion", body)) == (409, "deletion_asked")
    assert client.get("/api/v1/me/deletion").json()["due_at"] is not None
    browser.post("/security/data/deletion/take-back")
    assert code_of(client.delete("/api/v1/me/deletion")) == (404, "deletion_not_found")
    assert client.post("/api/v1/me/deletion", body).status_code == 202
    assert client.delete("/api/v1/me/deletion").status_code == 204
    empty: dict[str, object] = {"asked_at": None, "due_at": None, "obstacles": []}
    assert client.get("/api/v1/me/deletion").json() == empty
    for bad in ({}, {"confirmation": 1}, {"confirmation": EMAIL, "person": "2"}):
        assert client.post("/api/v1/me/deletion", bad).status_code == 400
    assert Deletion.objects.filter(taken_back_at=None).count() == 0
