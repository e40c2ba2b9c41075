"""Signing in through the API: pairs, cookies, refreshing, signing out, limits."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.accounts.models import RefreshToken, SignIn
from apps.core import clock
from tests.api.conftest import PASSWORD, Person, code_of

pytestmark = pytest.mark.django_db
TOKEN, REFRESH, LOGOUT = "/api/v1/auth/token", "/api/v1/auth/token/refresh", "/api/v1/auth/logout"
ADA = {"email": "ada@example.com", "password": PASSWORD}


def _browser(ada: Person) -> tuple[APIClient, dict[str, Any], Morsel[str]]:
    """A client that enforces CSRF and has signed in with a cookie."""
    browser = APIClient(enforce_csrf_checks=True)
    response = browser.post(TOKEN, {**ADA, "cookie": True}, secure=True)
    return browser, response.json(), response.cookies["__Secure-refresh"]


def test_an_app_gets_both_tokens_in_the_body(ada: Person, anybody: APIClient) -> None:
    response = anybody.post(TOKEN, {**ADA, "email": "ADA@example.com"})

    assert response.status_code == 200
    body = response.json()
    assert sorted(body) == ["access", "expires_in", "refresh"]
    assert body["expires_in"] == 600
    assert response["Cache-Control"] == "no-store"
    assert "__Secure-refresh" not in response.cookies
    anybody.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert anybody.get("/api/v1/me").json()["email"] == "ada@example.com"


def test_a_browser_gets_the_refresh_token_where_no_script_sees_it(ada: Person) -> None:
    _, body, cookie = _browser(ada)

    assert sorted(body) == ["access", "csrf_token", "expires_in"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/api/v1/auth/"
    assert cookie["max-age"] == 30 * 24 * 3600
    assert cookie["domain"] == ""


def test_a_browser_refreshes_with_cookie_and_csrf_token(ada: Person) -> None:
    browser, body, cookie = _browser(ada)
    headers = {"X-CSRFToken": body["csrf_token"], "Referer": "https://testserver/"}

    response = browser.post(REFRESH, secure=True, headers=headers)

    assert response.status_code == 200
    assert sorted(response.json()) == ["access", "csrf_token", "expires_in"]
    assert response.cookies["__Secure-refresh"].value != cookie.value


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRFToken": "x" * 64, "Referer": "https://testserver/"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=["no token", "wrong token", "foreign origin", "null origin"],
)
@pytest.mark.parametrize("address", [REFRESH, LOGOUT])
def test_a_cookie_alone_does_nothing(ada: Person, address: str, headers: dict[str, str]) -> None:
    browser, body, _ = _browser(ada)
    if "Origin" in headers:
        headers = {**headers, "X-CSRFToken": body["csrf_token"]}

    response = browser.post(address, secure=True, headers=headers)

    assert code_of(response) == (403, "csrf_failed")
    assert not RefreshToken.objects.exclude(used_at=None).exists()
    assert not SignIn.objects.exclude(ended_at=None).exists()


def test_a_page_of_another_site_gets_no_cookie(ada: Person, anybody: APIClient) -> None:
    response = anybody.post(
        TOKEN, {**ADA, "cookie": True}, headers={"Origin": "https://evil.example"}
    )

    assert code_of(response) == (403, "csrf_failed")
    assert "__Secure-refresh" not in response.cookies


def test_wrong_password_and_unknown_address_look_the_same(ada: Person, anybody: APIClient) -> None:
    wrong = anybody.post(TOKEN, {**ADA, "password": "wrong"})
    unknown = anybody.post(TOKEN, {**ADA, "email": "nobody@example.com"})

    assert code_of(wrong) == (401, "invalid_credentials")
    assert wrong.content == unknown.content
    assert wrong.status_code == unknown.status_code
    assert sorted(wrong.headers) == sorted(unknown.headers)
    assert wrong["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"email": "ada@example.com"}, "missing_field"),
        ({**ADA, "is_staff": True}, "unknown_field"),
        ({**ADA, "cookie": "true"}, "invalid_boolean"),
        ({**ADA, "password": 12345}, "invalid_text"),
        ({**ADA, "password": "x" * 1025}, "invalid_text"),
        ({**ADA, "email": ["ada@example.com"]}, "invalid_text"),
        ({**ADA, "email": "a" * 255}, "invalid_text"),
        ({**ADA, "email": "ada@example.com\r\nX: y"}, "control"),
        ([ADA], "invalid_body"),
        ("ada", "invalid_body"),
    ],
    ids=str,
)
def test_a_malformed_sign_in_is_refused(
    ada: Person, anybody: APIClient, body: object, code: str
) -> None:
    assert code_of(anybody.post(TOKEN, body)) == (400, code)
    assert SignIn.objects.count() == 1


def test_after_ten_wrong_passwords_a_forged_address_does_not_help(
    ada: Person, anybody: APIClient
) -> None:
    for index in range(10):
        headers = {"X-Forwarded-For": f"192.0.2.{index}"}
        response = anybody.post(TOKEN, {**ADA, "password": "wrong"}, headers=headers)
        assert code_of(response) == (401, "invalid_credentials")

    response = anybody.post(TOKEN, ADA, headers={"X-Forwarded-For": "192.0.2.99"})

    assert code_of(response) == (429, "too_many_attempts")
    assert 1 <= int(response["Retry-After"]) <= 90


def test_one_address_cannot_try_everybody(anybody: APIClient, settings: Any) -> None:
    settings.SIGN_IN_RATE_PER_ADDRESS = "3/m"
    answers = [
        anybody.post(TOKEN, {"email": f"p{index}@example.com", "password": "wrong"})
        for index in range(5)
    ]

    codes = [code_of(answer) for answer in answers]

    assert codes[:3] == [(401, "invalid_credentials")] * 3
    assert (429, "too_many_attempts") in codes[3:]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


def test_nobody_signs_in_while_tries_cannot_be_counted(
    ada: Person, anybody: APIClient, without_valkey: None
) -> None:
    response = anybody.post(TOKEN, ADA)

    assert code_of(response) == (503, "valkey_unavailable")
    assert int(response["Retry-After"]) >= 1


def test_refreshing_rotates_and_a_stolen_token_ends_the_sign_in(
    ada: Person, anybody: APIClient
) -> None:
    first = anybody.post(TOKEN, ADA).json()
    second = anybody.post(REFRESH, {"refresh": first["refresh"]}).json()
    assert second["refresh"] != first["refresh"]

    with time_machine.travel(clock.now() + timedelta(seconds=11)):
        assert code_of(anybody.post(REFRESH, {"refresh": first["refresh"]})) == (
            401, "token_invalid",
        )  # fmt: skip
        assert code_of(anybody.post(REFRESH, {"refresh": second["refresh"]})) == (
            401, "token_invalid",
        )  # fmt: skip
        anybody.credentials(HTTP_AUTHORIZATION=f"Bearer {second['access']}")
        assert code_of(anybody.get("/api/v1/me")) == (401, "token_invalid")


@pytest.mark.parametrize("body", [{}, {"refresh": "x" * 43}, {"refresh": ""}, {"refresh": None}])
def test_refreshing_without_a_token_of_ours_is_refused(
    anybody: APIClient, body: dict[str, Any]
) -> None:
    status, _ = code_of(anybody.post(REFRESH, body))

    assert status in (400, 401)


def test_an_access_token_is_no_refresh_token_nor_the_other_way(ada: Person) -> None:
    assert code_of(ada.client.post(REFRESH, {"refresh": ada.tokens.access}))[0] in (400, 401)
    ada.client.credentials(HTTP_AUTHORIZATION=f"Bearer {ada.tokens.refresh}")
    assert code_of(ada.client.get("/api/v1/me")) == (401, "token_invalid")


def test_signing_out_works_at_once(ada: Person, anybody: APIClient) -> None:
    assert ada.client.post(LOGOUT).status_code == 204

    assert code_of(ada.client.get("/api/v1/me")) == (401, "token_invalid")
    assert code_of(anybody.post(REFRESH, {"refresh": ada.tokens.refresh})) == (
        401, "token_invalid",
    )  # fmt: skip


def test_signing_out_by_refresh_token_or_cookie(ada: Person, anybody: APIClient) -> None:
    assert anybody.post(LOGOUT, {"refresh": ada.tokens.refresh}).status_code == 204
    browser, body, _ = _browser(ada)
    headers = {"X-CSRFToken": body["csrf_token"], "Referer": "https://testserver/"}

    response = browser.post(LOGOUT, secure=True, headers=headers)

    assert response.status_code == 204
    assert response.cookies["__Secure-refresh"].value == ""
    assert not SignIn.objects.filter(ended_at=None).exists()


def test_nobody_cannot_sign_out(anybody: APIClient) -> None:
    assert code_of(anybody.post(LOGOUT)) == (401, "authentication_required")


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer x", "bearer é", "Basic YTpi", "x", "Bearer null"],
)
def test_other_headers_are_no_sign_in(anybody: APIClient, header: str) -> None:
    anybody.credentials(HTTP_AUTHORIZATION=header)

    status, code = code_of(anybody.get("/api/v1/me"))

    assert status == 401
    assert code in ("token_invalid", "authentication_required")


def test_a_ticket_for_a_socket_works_once(ada: Person, anybody: APIClient) -> None:
    from apps.core.realtime import identity

    response = ada.client.post("/api/v1/auth/ticket")

    assert response.status_code == 201
    assert response.json()["expires_in"] == 30
    found = identity.of_ticket(response.json()["ticket"], address="127.0.0.1")
    assert found is not None
    assert found.user == ada.user
    assert identity.of_ticket(response.json()["ticket"], address="127.0.0.1") is None
    assert code_of(anybody.post("/api/v1/auth/ticket")) == (401, "authentication_required")


def test_the_sites_session_counts_with_its_csrf_token_only(ada: Person) -> None:
    site = APIClient(enforce_csrf_checks=True)
    site.force_login(ada.user)

    assert site.get("/api/v1/me").status_code == 200
    assert code_of(site.post("/api/v1/auth/ticket")) == (403, "csrf_failed")
