"""Rows 33 to 38 and 55 of the hostile inputs that concern people, each with its exact answer."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions, addresses, password_rules
from apps.accounts.models import SignIn, User
from apps.core import clock
from apps.core.errors import NotFound
from apps.core.models import OutboxEvent
from tests.api.conftest import code_of
from tests.factories import PASSWORD, person

pytestmark = pytest.mark.django_db
SIGN_UP, RESET, PASSWORD_PATH = (
    f"/api/v1/auth/{name}" for name in ("sign-up", "password-reset", "password")
)
GRACE = {"email": "grace@example.com", "password": "four plain words here"}


def _signed_in(user: User, at: Any = None) -> APIClient:
    pair = actions.open_sign_in(
        actor=user, client="tests", address="192.0.2.1", now=at or clock.now()
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    return client


def test_row_33_wrong_password_and_unknown_address_get_one_answer() -> None:
    # That both cost one hash, and so one time, is in test_credentials.py.
    person("ada@example.com")

    answers = {
        (answer.status_code, answer.content)
        for email in ("ada@example.com", "nobody@example.com")
        for answer in [
            APIClient().post("/api/v1/auth/token", {"email": email, "password": "wrong"})
        ]
    }

    assert len(answers) == 1


def test_row_34_signing_up_looks_the_same_for_everybody_at_the_api() -> None:
    person("ada@example.com")
    body = {**GRACE, "display_name": "Grace"}

    new = APIClient().post(SIGN_UP, body)
    known = APIClient().post(SIGN_UP, {**body, "email": "ADA@example.com"})

    assert (new.status_code, new.content) == (known.status_code, known.content)
    assert new.status_code == 202
    assert [letter.to for letter in mail.outbox] == [["grace@example.com"], ["ada@example.com"]]
    assert "There is an account with it already" in mail.outbox[1].body
    assert User.objects.get(email="ada@example.com").check_password(PASSWORD)


def test_row_34_a_password_reset_looks_the_same_for_everybody_at_the_api() -> None:
    person("ada@example.com")

    known = APIClient().post(RESET, {"email": "ada@example.com"})
    unknown = APIClient().post(RESET, {"email": "nobody@example.com"})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    assert len(mail.outbox) == 2


def test_row_34_signing_up_looks_the_same_for_everybody_on_the_site(settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    person("ada@example.com")
    form = {"display_name": "Eve", "password1": "four plain words here"}

    new = Client().post("/accounts/signup/", {**form, "email": "grace@example.com"})
    known = Client().post("/accounts/signup/", {**form, "email": "ada@example.com"})

    assert (new.status_code, new["Location"]) == (known.status_code, known["Location"])
    assert (new.status_code, new["Location"]) == (302, "/accounts/confirm-email/")
    assert len(mail.outbox) == 2


def test_who_must_prove_their_address_gets_in_by_the_letter(settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = APIClient()
    client.post(SIGN_UP, {**GRACE, "display_name": "Grace"})
    assert code_of(client.post("/api/v1/auth/token", GRACE)) == (403, "email_not_verified")
    found = re.search(r"http://testserver(/accounts/confirm-email/\S+)", str(mail.outbox[0].body))
    assert found is not None
    site = Client()
    assert "Yes, confirm it" in site.get(found[1]).content.decode()
    assert code_of(client.post("/api/v1/auth/token", GRACE)) == (403, "email_not_verified")

    site.post(found[1])

    assert client.post("/api/v1/auth/token", GRACE).status_code == 200


def test_row_35_forwarded_addresses_do_not_buy_more_tries() -> None:
    person("ada@example.com")
    client = APIClient()
    wrong = {"email": "ada@example.com", "password": "wrong"}

    answers = [
        client.post("/api/v1/auth/token", wrong, headers={"X-Forwarded-For": f"192.0.2.{each}"})
        for each in range(12)
    ]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2


def test_row_37_an_old_login_changes_no_password() -> None:
    ada = person("ada@example.com")
    then = clock.now()
    client = _signed_in(ada, then)
    body = {"password": "four plain words here"}
    SignIn.objects.update(proved_at=then - timedelta(minutes=20))

    assert code_of(client.post(PASSWORD_PATH, body)) == (403, "step_up_required")

    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    client.post("/api/v1/auth/step-up", {"password": PASSWORD})
    assert client.post(PASSWORD_PATH, body).status_code == 204
    ada.refresh_from_db()
    assert ada.check_password("four plain words here")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("fourteen chars", "password_too_short"),
        ("", "password_too_short"),
        ("passwordpassword", "password_blocked"),
        ("aaaaaaaaaaaaaaaa", "password_blocked"),
        ("12345678901234567", "password_blocked"),
        ("ada@example.com!", "password_blocked"),
        ("sum1sum1sum1sum1", "password_blocked"),
        ("x" * 1025, "invalid_text"),
    ],
)
def test_row_38_bad_passwords_are_refused(password: str, code: str) -> None:
    ada = person("ada@example.com")

    answer = _signed_in(ada).post(PASSWORD_PATH, {"password": password})

    assert code_of(answer) == (400, code)
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        "fifteen letters",
        "a" + "bcdefghij" * 10,
        "пароль из слов простых",
        "🔑🗝️🔐 three keys of mine",
        "all lower case it is",
    ],
)
def test_row_38_long_ones_of_every_alphabet_are_taken(password: str) -> None:
    ada = person("ada@example.com")

    assert _signed_in(ada).post(PASSWORD_PATH, {"password": password}).status_code == 204

    body = {"email": "ada@example.com", "password": password}
    assert APIClient().post("/api/v1/auth/token", body).status_code == 200


def test_a_password_is_the_same_in_every_form_of_unicode() -> None:
    ada = person("ada@example.com", password="Zo\u0308lle und Bru\u0308cken")

    assert ada.check_password("Z\u00f6lle und Br\u00fccken")
    assert not ada.check_password("Zolle und Brucken")


def test_eight_characters_are_enough_beside_a_second_factor() -> None:
    password_rules.check("q7 vault", person=None, has_second_factor=True)

    with pytest.raises(Exception, match="at least 15"):
        password_rules.check("q7 vault", person=None, has_second_factor=False)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_row_55_nobody_is_led_to_another_site(target: str) -> None:
    ada = person("ada@example.com")
    client = Client()

    login = client.post(
        f"/accounts/login/?next={target}",
        {"login": "ada@example.com", "password": PASSWORD, "next": target},
    )
    confirmed = client.post("/security/confirm", {"password": PASSWORD, "next": target})

    assert login["Location"] == "/"
    assert confirmed["Location"] == "/security"
    assert ada.is_active


def test_an_address_changes_by_the_link_that_was_sent_there() -> None:
    ada = person("ada@example.com")
    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    client.post("/security/email", {"email": "Ada@new.example"})
    found = re.search(r"http://testserver(/security/email/\S+)", str(mail.outbox[0].body))
    assert found is not None
    assert mail.outbox[0].to == ["Ada@new.example"]

    client.get(found[1])
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"
    client.post(found[1])

    ada.refresh_from_db()
    assert ada.email == "ada@new.example"
    assert ada.security_changed_at is not None
    assert addresses.is_verified(person=ada)
    assert mail.outbox[1].to == ["ada@example.com"]
    told = OutboxEvent.objects.get(data__kind="email_changed")
    assert told.data["data"] == {"email": "ada@new.example"}
    assert client.post(found[1]).status_code == 404


def test_with_a_new_address_the_other_sign_ins_can_end() -> None:
    ada, now = person("ada@example.com"), clock.now()
    here, there, app = Client(), Client(), _signed_in(ada)
    for client in (here, there):
        client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    first = addresses.token_for_change(actor=ada, email="a@new.example", proved_at=now, now=now)

    here.post(f"/security/email/{first}")
    assert there.get("/security").status_code == 200
    ada.refresh_from_db()
    second = addresses.token_for_change(actor=ada, email="b@new.example", proved_at=now, now=now)
    page = here.get(f"/security/email/{second}").content.decode()
    assert 'name="ends_others" value="1" checked' in page
    here.post(f"/security/email/{second}", {"ends_others": "1"})
    twice = here.post(f"/security/email/{second}", {"ends_others": "1"})

    assert twice.status_code == 404
    assert here.get("/security").status_code == 200
    assert there.get("/security").status_code == 302
    assert code_of(app.get("/api/v1/me")) == (401, "token_invalid")
    ended = SignIn.objects.filter(user=ada, end_reason="email")
    assert ended.count() == 2


def test_an_address_of_another_is_not_taken_over() -> None:
    ada, bob = person("ada@example.com"), person("bob@example.com")
    now = clock.now()
    token = addresses.token_for_change(actor=ada, email=bob.email, proved_at=now, now=now)

    response = Client().post(f"/security/email/{token}")

    assert response.status_code == 404
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"
    with time_machine.travel(now + timedelta(hours=25)), pytest.raises(NotFound):
        addresses.change_by_link(token=token, now=now)
