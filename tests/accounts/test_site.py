"""Signing up and in on the site."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.accounts.models import SignIn, User
from apps.wallets.models import Balance, TradingAccount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("engine_gateway")]
PASSWORD = "a-long-enough-password"
NEW = {"display_name": "  Ada   L ", "email": "Ada@Example.com", "password1": PASSWORD}
SIGN_UP, SIGN_IN = "/accounts/signup/", "/accounts/login/"


def _signed_up() -> User:
    Client().post(SIGN_UP, NEW)
    return User.objects.get()


def _is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_who_signs_up_is_signed_in_and_has_an_account(client: Client) -> None:
    response = client.post(SIGN_UP, NEW)

    assert response.status_code == 302
    user = User.objects.get()
    assert (user.email, user.display_name) == ("ada@example.com", "Ada L")
    assert not user.is_staff
    assert not user.is_superuser
    assert _is_signed_in(client)
    account = TradingAccount.objects.get(owner=user)
    assert Balance.objects.filter(account=account).count() == 3
    assert PASSWORD not in user.password


@pytest.mark.parametrize(
    "changes",
    [
        {"email": ""},
        {"email": "no address"},
        {"email": "a@b.example\r\nBcc: x@y.example"},
        {"display_name": ""},
        {"display_name": "x"},
        {"display_name": "x" * 41},
        {"display_name": "a\u202eb"},
        {"display_name": "a\x00b"},
        {"password1": "short"},
        {"password1": "password1234"},
        {"password1": "ada@example.com"},
    ],
    ids=str,
)
def test_a_sign_up_that_is_wrong_changes_nothing(client: Client, changes: dict[str, str]) -> None:
    response = client.post(SIGN_UP, {**NEW, **changes})

    assert response.status_code == 200
    assert not User.objects.exists()
    assert not TradingAccount.objects.exists()
    assert not _is_signed_in(client)


def test_nobody_makes_himself_staff(client: Client) -> None:
    client.post(
        SIGN_UP, {**NEW, "is_staff": "1", "is_superuser": "1", "is_active": "0", "balance": "1"}
    )

    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)


def test_an_address_is_taken_once_in_whichever_case(client: Client) -> None:
    _signed_up()

    client.post(SIGN_UP, {**NEW, "email": "ADA@EXAMPLE.COM"})

    assert User.objects.count() == 1
    assert not _is_signed_in(client)


def test_of_two_who_take_an_address_at_once_one_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _signed_up()
    # The form's own look-up came before the other's row was there.
    monkeypatch.setattr(
        "apps.accounts.forms.SignupForm.validate_unique_email", lambda form, value: value
    )

    response = client.post(SIGN_UP, {**NEW, "display_name": "Eve"})

    assert response.status_code == 409
    assert User.objects.get().display_name == "Ada L"
    assert not _is_signed_in(client)


def test_a_form_of_a_hundred_thousand_fields_is_refused(client: Client) -> None:
    fields = "&".join(f"f{index}=1" for index in range(100_000))

    response = client.post(SIGN_UP, fields, content_type="application/x-www-form-urlencoded")

    assert response.status_code in (400, 413)
    assert not User.objects.exists()


def test_signing_in_and_out(client: Client) -> None:
    _signed_up()

    response = client.post(SIGN_IN, {"login": "ADA@example.com", "password": PASSWORD})
    assert response.status_code == 302
    assert _is_signed_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"

    client.post("/accounts/logout/")
    assert not _is_signed_in(client)


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_a_wrong_try_says_nothing_of_the_address(client: Client, email: str) -> None:
    _signed_up()

    response = client.post(SIGN_IN, {"login": email, "password": "wrong-password"})

    assert response.status_code == 200
    assert not _is_signed_in(client)
    assert response.context["form"].non_field_errors() == [
        "The email address and/or password you specified are not correct."
    ]


def test_site_and_api_count_wrong_tries_together(client: Client) -> None:
    _signed_up()
    for _ in range(5):
        client.post(SIGN_IN, {"login": "ada@example.com", "password": "wrong-password"})
    for _ in range(5):
        wrong = {"email": "ada@example.com", "password": "wrong"}
        client.post("/api/v1/auth/token", wrong, content_type="application/json")

    client.post(SIGN_IN, {"login": "ada@example.com", "password": PASSWORD})

    assert not _is_signed_in(client)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_to_another_site(client: Client, target: str) -> None:
    _signed_up()

    response = client.post(
        f"{SIGN_IN}?next={target}", {"login": NEW["email"], "password": PASSWORD, "next": target}
    )

    assert response.status_code == 302
    assert response["Location"] == "/"


def test_nobody_signs_in_while_tries_cannot_be_counted(
    client: Client, settings: Any, free_port: Any
) -> None:
    _signed_up()
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"

    response = client.post(SIGN_IN, {"login": NEW["email"], "password": PASSWORD})

    assert response.status_code == 503
    assert int(response["Retry-After"]) >= 1
    assert not _is_signed_in(client)


def test_a_password_reset_looks_the_same_for_everybody(client: Client) -> None:
    _signed_up()
    mail.outbox.clear()

    known = client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 2


def test_a_new_password_ends_the_sign_ins_of_the_api(client: Client) -> None:
    user = _signed_up()
    body = {"email": "ada@example.com", "password": PASSWORD}
    client.post("/api/v1/auth/token", body, content_type="application/json")
    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})

    client.post("/security/password", {"password": "another long one"})

    assert SignIn.objects.get(session_key="").end_reason == "password"
    user.refresh_from_db()
    assert user.check_password("another long one")
