"""Hostile rows 67 to 69: what every answer carries, what is not there, and who may read from where.

Every route of the URL configuration is asked, as nobody and as a person who is signed in.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.web import client_address
from tests.api.conftest import PASSWORD, Person, ada, markets

pytestmark = pytest.mark.django_db
__all__ = ["ada", "markets"]
FILLED = {
    "int": "1",
    "uuid": "5f0c2c1e-8f43-4a1c-9d0f-0c6a5d1f7a11",
    "slug": "x",
    "str": "BTC-USDT",
    "path": "x",
}


def routes() -> list[str]:
    """Return an address for every route there is."""
    found: set[str] = set()

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for pattern in patterns:
            text = str(pattern.pattern)
            text = re.sub(r"\(\?P<\w+>.*?\)(?=[/$]|$)", "1", text).strip("^$").replace(r"\Z", "")
            text = re.sub(r"<(?:(\w+):)?\w+>", lambda m: FILLED[m.group(1) or "str"], text)
            path = prefix + text
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path)
            else:
                found.add(f"/{path}")

    walk(get_resolver().url_patterns, "")
    return sorted(found)


@pytest.fixture
def secure(settings: Any) -> Any:
    """The settings of production, as far as headers go."""
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.SECURE_HSTS_PRELOAD = True
    return settings


def wrong_headers(path: str, response: Any) -> list[str]:
    told = response.headers
    policy = told.get("Content-Security-Policy", "")
    wanted = {
        "HSTS": told.get("Strict-Transport-Security")
        == "max-age=31536000; includeSubDomains; preload",
        "policy": "frame-ancestors 'none'" in policy and "default-src" in policy,
        "no inline scripts": path.startswith("/admin/") or "unsafe" not in policy,
        "nosniff": told.get("X-Content-Type-Options") == "nosniff",
        "frames": told.get("X-Frame-Options") == "DENY",
        "referrer": told.get("Referrer-Policy") == "same-origin",
        "opener": told.get("Cross-Origin-Opener-Policy") == "same-origin",
        "caches": bool(told.get("Cache-Control")),
        "no server": "Server" not in told and "X-Powered-By" not in told,
        "no CORS": not any(name.lower().startswith("access-control-") for name in told),
        "no failure": response.status_code < 500 or response.status_code == 503,
    }
    return [f"{path}: {name}" for name, is_right in wanted.items() if not is_right]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://testserver.evil.example"]
)
def test_rows_68_and_69_every_route_is_safe_for_nobody(
    secure: Any, markets: None, origin: str
) -> None:
    client = Client(headers={"Origin": origin})
    asked = routes()

    wrong = [line for path in asked for line in wrong_headers(path, client.get(path, secure=True))]

    assert len(asked) > 150
    assert wrong == []


def test_row_68_every_route_is_safe_for_who_is_signed_in(
    secure: Any, markets: None, ada: Person
) -> None:
    client = Client()
    client.force_login(ada.user)

    wrong = [
        line for path in routes() for line in wrong_headers(path, client.get(path, secure=True))
    ]

    assert wrong == []


@pytest.mark.parametrize(
    "path",
    ["/portfolio", "/orders", "/limits", "/security", "/security/keys", "/api/v1/me",
     "/api/v1/keys", "/api/v1/orders", "/api/v1/balances"],
)  # fmt: skip
def test_row_68_what_is_somebodys_own_is_kept_by_nothing(
    markets: None, ada: Person, path: str
) -> None:
    client = Client()
    client.force_login(ada.user)

    response = client.get(path, headers={"Authorization": f"Bearer {ada.tokens.access}"})

    assert response.headers["Cache-Control"].startswith("no-store")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
def test_row_69_no_method_opens_the_api_to_other_sites(markets: None, method: str) -> None:
    client = Client(
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
    )

    for path in ("/api/v1/orders", "/api/v1/tickers", "/"):
        response = client.generic(method, path)
        assert response.status_code in (401, 403, 405)
        assert not any(name.lower().startswith("access-control-") for name in response.headers)


def test_the_api_leads_nobody_on_from_plain_http(settings: Any, ada: Person) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^api/"]
    client, token = Client(), f"Bearer {ada.tokens.access}"

    plain = client.get("/api/v1/me", headers={"Authorization": token})
    page = client.get("/markets")
    over_tls = client.get("/api/v1/me", headers={"Authorization": token}, secure=True)

    assert (plain.status_code, plain.json()["code"]) == (403, "https_required")
    assert (page.status_code, page["Location"]) == (301, "https://testserver/markets")
    assert over_tls.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/schema", "/.git/config", "/.env", "/static/../.env", "/debug", "/__debug__/",
     "/server-status", "/wp-admin/", "/actuator/env", "/config/settings/base.py", "/media/"],
)  # fmt: skip
def test_row_67_what_is_not_there_is_not_there(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert "Traceback" not in response.content.decode()


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "unknown"])
def test_row_67_the_admin_is_not_there_from_outside(client: Client, address: str) -> None:
    for path in ("/admin", "/admin/", "/admin/login/", "/admin/accounts/user/"):
        assert client.get(path, REMOTE_ADDR=address).status_code == 404


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.7", "10.0.0.1"),
        (0, "127.0.0.1, 203.0.113.7", "10.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "127.0.0.1, 203.0.113.7", "203.0.113.7"),
        (2, "127.0.0.1, 203.0.113.7, 198.51.100.1", "203.0.113.7"),
        (2, "203.0.113.7", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, " , ", "10.0.0.1"),
        (3, "a, b", "10.0.0.1"),
    ],
)
def test_row_35_the_address_comes_from_our_own_proxies_only(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get(
        "/",
        REMOTE_ADDR="10.0.0.1",
        headers={
            "X-Forwarded-For": forwarded,
            "X-Real-IP": "127.0.0.1",
            "Forwarded": "for=127.0.0.1",
            "Client-IP": "127.0.0.1",
        },
    )

    assert client_address(request) == address


def test_no_secret_of_a_request_reaches_the_log(
    ada: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("apps.accounts.api.actions.check_credentials", fail)
    client = Client(raise_request_exception=False)
    secrets = ["hunter2-hunter2-hunter2", "the-signature", "the-session", "the-refresh"]

    with caplog.at_level(logging.DEBUG):
        response = client.post(
            "/api/v1/auth/token",
            {"email": "ada@example.com", "password": secrets[0]},
            content_type="application/json",
            headers={
                "SUM1-Signature": secrets[1],
                "Cookie": f"other={secrets[2]}; __Secure-refresh={secrets[3]}",
            },
        )
        client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD + "x"})
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {ada.tokens.access}x"})

    assert response.status_code == 500
    assert "unforeseen" in caplog.text
    for secret in (*secrets, PASSWORD, ada.tokens.access, project.SECRET_KEY):
        assert secret not in caplog.text
        assert secret not in response.content.decode()
