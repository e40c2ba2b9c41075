"""What is answered when something is wrong with the request's clothes, or with a service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from rest_framework.test import APIClient

from tests.api.conftest import Person, code_of

pytestmark = pytest.mark.django_db
TOKEN = "/api/v1/auth/token"


@pytest.fixture
def without_database(
    db: None, settings: Any, free_port: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Every query meets a database that is not there."""
    port = free_port()

    def refuse(*args: object, **kwargs: object) -> None:
        raise OperationalError(f'connection to server at "127.0.0.1", port {port} failed')

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        yield


def test_a_body_that_is_too_large_is_not_read(anybody: APIClient) -> None:
    body = b'{"email": "' + b"x" * 70_000 + b'"}'

    response = anybody.post(TOKEN, body, content_type="application/json")

    assert code_of(response) == (413, "body_too_large")


def test_a_length_that_is_too_large_is_believed(anybody: APIClient) -> None:
    response = anybody.post(
        TOKEN, b"{}", content_type="application/json", CONTENT_LENGTH="10000000"
    )

    assert code_of(response) == (413, "body_too_large")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/xml", "application/json5", "x", "text/json; charset=utf-16"],
)  # fmt: skip
def test_only_json_is_taken(anybody: APIClient, content_type: str) -> None:
    response = anybody.post(TOKEN, b'{"email": "a"}', content_type=content_type)

    assert code_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"null", b"[]", b'{"email": NaN}', b'{"email": "a", "email": "b"}', b"\xff",
     b"[" * 10_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'"' * 60_001,
     b'{"email": "\\ud800", "password": "x"}', b'{"email": "\\u0000", "password": "x"}'],
    ids=lambda body: body[:20],
)  # fmt: skip
def test_a_broken_body_is_refused(anybody: APIClient, body: bytes) -> None:
    response = anybody.post(TOKEN, body, content_type="application/json")

    status, code = code_of(response)
    assert status == 400
    assert code in ("parse_error", "invalid_body", "missing_field")


@pytest.mark.parametrize(
    "path",
    ["/api/v1/none", "/api/v1/", "/api/", "/api/v2/markets", "/api/v1/none/", "/api/v1/%00"],
)
def test_an_unknown_address_of_the_api_is_a_problem_too(anybody: APIClient, path: str) -> None:
    assert code_of(anybody.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["/.git/config", "/.env", "/metrics", "/debug", "/schema", "/static/../config/env.py"]
)
def test_what_is_not_there_is_a_page_that_gives_nothing_away(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
    assert "config.urls" not in response.content.decode()


def test_another_host_is_refused(anybody: APIClient) -> None:
    response = anybody.get("/api/v1/markets", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert b"ALLOWED_HOSTS" not in response.content


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://testserver.evil.example"]
)
def test_no_other_site_may_read(ada: Person, origin: str) -> None:
    for path in ("/api/v1/markets", "/api/v1/me"):
        response = ada.client.get(path, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("path", ["/api/v1/markets", "/api/v1/me", "/api/v1/balances"])
def test_without_the_database_one_is_told_to_come_back(
    ada: Person, without_database: None, path: str
) -> None:
    response = ada.client.get(path)

    assert code_of(response) == (503, "database_unavailable")
    assert int(response["Retry-After"]) >= 1
    assert b"127.0.0.1" not in response.content


def test_without_the_database_a_page_says_so_too(ada: Person, without_database: None) -> None:
    client = Client(raise_request_exception=False)

    response = client.get("/accounts/login/", headers={"Cookie": "sessionid=x"})

    assert response.status_code in (200, 503)
    assert b"127.0.0.1" not in response.content


def test_without_valkey_reading_goes_on(ada: Person, markets: None, without_valkey: None) -> None:
    assert ada.client.get("/api/v1/balances").status_code == 200
    assert ada.client.get("/api/v1/tickers").status_code == 200
    assert "X-RateLimit-Limit" not in ada.client.get("/api/v1/markets")


def test_without_valkey_there_is_no_book(
    anybody: APIClient, markets: None, without_valkey: None
) -> None:
    response = anybody.get("/api/v1/markets/BTC-USDT/book")

    assert code_of(response) == (503, "valkey_unavailable")
    assert int(response["Retry-After"]) >= 1


def test_what_nobody_foresaw_is_noted_and_not_shown(
    ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**kwargs: object) -> None:
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr("apps.wallets.api.account_of", broken)

    response = ada.client.get("/api/v1/me")

    assert code_of(response) == (500, "internal_error")
    assert b"secret" not in response.content
    assert "the secret is 42" in caplog.text


def test_every_page_and_answer_has_its_protective_headers(ada: Person) -> None:
    for path in ("/api/v1/time", "/api/v1/me", "/api/v1/none", "/healthz", "/accounts/login/"):
        response = ada.client.get(path)
        assert response["X-Content-Type-Options"] == "nosniff", path
        assert response["X-Frame-Options"] == "DENY", path
        assert response["Referrer-Policy"] == "same-origin", path
        assert response["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"], path
        assert "unsafe-inline" not in response["Content-Security-Policy"], path
        assert "Server" not in response, path
