"""Hostile inputs and their exact answers, each test named after its row of the list.

The list is in ``tests/hostile_rows.py``, with the rows whose proof stands elsewhere.
"""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from datetime import timedelta
from typing import Any, Final

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from apps.accounts import access, actions, letters
from apps.accounts.models import Letter, RefreshToken, SignIn, User
from apps.core import clock, outbox, ratelimit
from apps.matching.actions import set_venue
from apps.trades.models import Fill, Order
from tests.accounts import test_access
from tests.api.conftest import LIMIT, PASSWORD, Person, code_of
from tests.api.test_hostile_orders import ledger_hash
from tests.api.test_schema import _routes
from tests.api.test_strangers import _operations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
ORDERS, ME = "/api/v1/orders", "/api/v1/me"
TOKEN, REFRESH = "/api/v1/auth/token", "/api/v1/auth/token/refresh"
SIGN_UP, RESET = "/accounts/signup/", "/accounts/password/reset/"
IMAGE: Final = "<img src=x onerror=alert(1)>"


def _me(token: str) -> tuple[int, str]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return code_of(client.get(ME))


def test_row_25_another_key_or_algorithm_is_refused_and_nothing_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        where = f"http://127.0.0.1:{canary.getsockname()[1]}/keys"
        headers: list[dict[str, Any]] = [{"kid": "../../x"}, {"jku": where}, {"x5u": where}]
        none = test_access._part({"alg": "none", "typ": "JWT"})
        tokens = [
            f"{none}.{test_access._part(test_access._claims())}.",
            *(
                test_access.jwt.encode(
                    test_access._claims(), "public key " * 4, algorithm="HS256", headers=header
                )
                for header in headers
            ),
        ]

        assert [_me(token) for token in tokens] == [(401, "token_invalid")] * 4
        with pytest.raises(TimeoutError):
            canary.accept()


def test_row_26_a_token_that_is_over_is_refused(ada: Person) -> None:
    assert ada.client.get(ME).status_code == 200
    with time_machine.travel(clock.now() + access.LIFETIME + timedelta(seconds=31)):
        assert code_of(ada.client.get(ME)) == (401, "token_invalid")


def test_row_27_a_changed_payload_is_refused(ada: Person, bob: Person) -> None:
    head, payload, signature = ada.tokens.access.split(".")
    claims = test_access._claims(sub=str(bob.user.public_id), is_staff=True)

    assert _me(f"{head}.{test_access._part(claims)}.{signature}") == (401, "token_invalid")
    assert _me(f"{head}.{payload}.{signature[::-1]}") == (401, "token_invalid")


@pytest.mark.django_db(transaction=True)
def test_row_28_sixteen_refreshes_at_once_make_one_family(ada: Person) -> None:
    barrier, lock = threading.Barrier(16), threading.Lock()
    answers: Counter[str] = Counter()

    def refresh() -> None:
        barrier.wait()
        try:
            response = APIClient().post(REFRESH, {"refresh": ada.tokens.refresh})
        finally:
            connection.close()
        with lock:
            answers[response.json().get("refresh") or str(code_of(response))] += 1

    threads = [threading.Thread(target=refresh) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    successors = set(answers) - {"(401, 'token_invalid')"}
    assert len(successors) == 1
    assert RefreshToken.objects.filter(used_at=None).count() == 1
    assert SignIn.objects.count() == 1


def test_row_29_a_rotated_token_that_comes_back_ends_the_family_and_its_owner_is_told(
    ada: Person, anybody: APIClient
) -> None:
    child = anybody.post(REFRESH, {"refresh": ada.tokens.refresh}).json()
    later = clock.now() + timedelta(seconds=11)

    with time_machine.travel(later):
        replayed = anybody.post(REFRESH, {"refresh": ada.tokens.refresh})
        again = anybody.post(REFRESH, {"refresh": ada.tokens.refresh})
        after = anybody.post(REFRESH, {"refresh": child["refresh"]})
        access_after = _me(child["access"])

    assert code_of(replayed) == code_of(again) == code_of(after) == (401, "token_invalid")
    assert access_after == (401, "token_invalid")
    assert SignIn.objects.get().end_reason == "reuse"
    assert outbox.deliver(now=later) == 1
    assert letters.send_letters(now=later) == 1
    assert (mail.outbox[0].to, mail.outbox[0].subject) == (
        ["ada@example.com"], "SUM+1: You were signed out for your safety",
    )  # fmt: skip
    assert ada.tokens.refresh not in mail.outbox[0].body
    assert not Letter.objects.exists()


def test_row_34_signing_up_with_a_known_address_looks_like_any_other(settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    form = {"display_name": "Ada L", "password1": PASSWORD}
    actions.register_person(
        email="ada@example.com", password=PASSWORD, display_name="Ada", now=clock.now()
    )

    fresh = Client().post(SIGN_UP, {**form, "email": "new@example.com"})
    known = Client().post(SIGN_UP, {**form, "email": "ADA@example.com"})
    # So soon after the first, no second letter is sent; that must not show either.
    again = Client().post(SIGN_UP, {**form, "email": "ada@example.com"})

    for other in (known, again):
        assert (other.status_code, other["Location"]) == (fresh.status_code, fresh["Location"])
        assert sorted(other.headers) == sorted(fresh.headers)
        assert sorted(other.cookies) == sorted(fresh.cookies)
    assert fresh.status_code == 302
    assert Client().get(known["Location"]).status_code == 200
    assert [message.to for message in mail.outbox] == [["new@example.com"], ["ada@example.com"]]
    assert User.objects.filter(email="ada@example.com").count() == 1


def test_row_35_after_a_hundred_wrong_passwords_only_a_new_one_helps(
    ada: Person, anybody: APIClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    forged = [{"X-Forwarded-For": f"192.0.2.{index}"} for index in range(100)]
    first = [
        anybody.post(TOKEN, {**body, "password": "wrong"}, headers=headers).status_code
        for headers in forged[:12]
    ]
    # Somebody who waits between his tries for as long as he is told to.
    monkeypatch.setattr(actions, "ATTEMPTS", ratelimit.Bucket(1000, 1000.0))
    settings.SIGN_IN_RATE_PER_ADDRESS = "1000/m"
    for headers in forged[10:]:
        anybody.post(TOKEN, {**body, "password": "wrong"}, headers=headers)

    right = anybody.post(TOKEN, body)
    unknown = anybody.post(TOKEN, {**body, "email": "nobody@example.com"})

    assert first == [401] * 10 + [429] * 2
    assert code_of(right) == (401, "invalid_credentials")
    assert right.content == unknown.content
    assert ada.client.get(ME).status_code == 200
    assert outbox.deliver(now=clock.now()) == 1
    assert letters.send_letters(now=clock.now()) == 1
    assert "100 wrong passwords" in mail.outbox[0].body
    ada.user.set_password("another-long-password")
    ada.user.save()
    assert anybody.post(TOKEN, {**body, "password": "another-long-password"}).status_code == 200
    ada.user.refresh_from_db()
    assert ada.user.wrong_passwords == 0


class _Absent(dict[str, str]):
    """Stands for the ids of what is not there."""

    def __missing__(self, name: str) -> str:
        return "00000000-0000-4000-8000-000000000000"


ABSENT: Final = _Absent()


def test_row_41_no_body_takes_a_field_that_is_not_its_own(ada: Person) -> None:
    before = ledger_hash()
    person = User.objects.filter(pk=ada.user.pk).values().get()
    asked = []

    for path, method, operation in _operations():
        # Of what a vendor did not sign nothing is read at all.
        if "requestBody" not in operation or path.endswith("/kyc/vendor"):
            continue
        asked.append(path)
        content = operation["requestBody"]["content"]["application/json"]
        example = next(iter(content["examples"].values()))["value"]
        for name in (
            "is_staff", "balance", "kyc_status", "role", "owner", "fee_tier", "leader_score",
        ):  # fmt: skip
            address = path.format_map(ABSENT)
            response = getattr(ada.client, method)(address, {**example, name: True})
            assert code_of(response) == (400, "unknown_field"), (path, name)

    assert len(asked) >= 5
    assert ledger_hash() == before
    assert User.objects.filter(pk=ada.user.pk).values().get() == person


def test_row_44_a_page_is_capped_at_two_hundred(ada: Person) -> None:
    for start in (50_000, 51_000):
        batch = [{**LIMIT, "quantity": "0.0001", "price": f"{start + n}.00"} for n in range(100)]
        assert ada.client.post(f"{ORDERS}/batch", {"orders": batch}).status_code == 200
        ada.client.delete(ORDERS)
        threading.Event().wait(1.1)
    assert ada.client.post(ORDERS, LIMIT).status_code == 201

    page = ada.client.get(ORDERS, {"limit": str(10**9)}).json()

    assert len(page["items"]) == 200
    assert page["next"] is not None
    assert code_of(ada.client.get(ORDERS, {"limit": "-1"})) == (400, "invalid_limit")
    assert code_of(ada.client.get(ORDERS, {"offset": "-1"})) == (400, "unknown_parameter")


def test_row_47_markup_in_a_name_is_shown_as_text(settings: Any) -> None:
    client = Client()
    form = {"email": "eve@example.com", "password1": PASSWORD}
    for name in ("\u202eeve", "eve\u2066"):
        assert client.post(SIGN_UP, {**form, "display_name": name}).status_code == 200
        assert not User.objects.exists()
    client.post(SIGN_UP, {**form, "display_name": IMAGE})
    assert User.objects.get().display_name == IMAGE

    for path in ("/", "/dashboard", "/portfolio", "/orders", "/trade/BTC-USDT"):
        page = client.get(path, follow=True).content.decode()
        assert "<img src=x" not in page, path
    assert client.get(ME).json()["display_name"] == IMAGE


@pytest.mark.parametrize("path", ["/orders", "/markets", "/trade/BTC-USDT", "/accounts/login/"])
def test_row_47_what_is_in_the_address_is_never_markup(ada: Person, path: str) -> None:
    client = Client()
    client.force_login(ada.user)
    names = ("q", "market", "status", "show", "before", "next", "interval", "tab", "sort")

    for name in names:
        response = client.get(path, {name: f'"><script>canary</script>{IMAGE}'})
        assert response.status_code < 500, name
        assert b"<script>canary" not in response.content, name
        assert b"<img src=x" not in response.content, name


@pytest.mark.parametrize(
    "path", ["/api/v1/liabilities/%00/proof", "/api/v1/orders/1%00", "/positions/%00", "/trade/%00"]
)
def test_row_51_an_address_with_a_nul_leads_nowhere(ada: Person, path: str) -> None:
    browser = Client()
    browser.force_login(ada.user)
    response = (ada.client if path.startswith("/api/") else browser).get(path)

    assert response.status_code == 404
    assert "internal_error" not in response.content.decode()


def test_row_51_a_header_with_a_line_break_makes_no_second_line(
    ada: Person, anybody: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "app\r\n2026-11-21 CRITICAL everything is fine"
    body = {"email": "ada@example.com", "password": PASSWORD}

    anybody.post(TOKEN, body, headers={"User-Agent": forged})
    answers = [
        code_of(anybody.get(f"/api/v1/markets/{text}"))
        for text in ("%00", "%0d%0aX-Evil:1", "%27%20OR%201=1--", "%7B%7B7*7%7D%7D", "%25s")
    ]

    assert "\n" not in SignIn.objects.order_by("created_at").last().client
    assert {status for status, _ in answers} == {404}
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_row_52_a_megabyte_of_nesting_is_refused(ada: Person) -> None:
    nested = '{"market":' + "[" * 10_000 + "]" * 10_000 + "}"
    for body, answer in (
        (nested, (400, "parse_error")),
        ("[" * 1_000_000, (413, "body_too_large")),
        ("{" + '"a":1,' * 1_500_000 + '"b":1}', (413, "body_too_large")),
    ):
        response = ada.client.generic("POST", ORDERS, body, content_type="application/json")
        assert code_of(response) == answer


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_row_55_no_form_sends_anybody_away(ada: Person, target: str) -> None:
    client = Client()
    client.force_login(ada.user)
    for path in ("/orders/cancel-all", "/preferences/appearance", "/preferences/favourite"):
        response = client.post(path, {"next": target, "market": "BTC-USDT"})
        assert response.status_code == 302, path
        assert response["Location"] in ("/", "/orders"), path


def test_row_61_nobody_trades_with_himself(ada: Person) -> None:
    resting = ada.client.post(ORDERS, {**LIMIT, "side": "sell"}).json()

    taking = ada.client.post(ORDERS, LIMIT).json()

    assert (taking["status"], taking["reason"]) == ("expired", "self_trade")
    assert ada.client.get(f"{ORDERS}/{resting['id']}").json()["status"] == "open"
    assert not Fill.objects.exists()


def test_row_62_more_messages_than_an_account_may_send(ada: Person) -> None:
    batch = [{**LIMIT, "quantity": "0.0001", "price": f"{50_000 + n}.00"} for n in range(100)]
    with time_machine.travel(clock.now(), tick=False):
        ada.client.post(f"{ORDERS}/batch", {"orders": batch})
        response = ada.client.post(ORDERS, {**LIMIT, "quantity": "0.0001"})

    assert code_of(response) == (429, "rate_limited")
    assert response["Retry-After"] == "1"
    assert Order.objects.count() == 100


def test_row_64_after_the_kill_switch_nothing_rests_and_nothing_enters(
    ada: Person, bob: Person
) -> None:
    for person in (ada, bob):
        assert person.client.post(ORDERS, LIMIT).status_code == 201

    set_venue(state="cancel_only", cancel_all=True)

    assert not Order.objects.filter(status="open").exists()
    before = ledger_hash()
    response = ada.client.post(ORDERS, LIMIT)
    assert code_of(response) == (503, "trading_halted")
    assert int(response["Retry-After"]) >= 1
    assert ledger_hash() == before


def test_row_64_while_trading_is_halted_cancelling_works(ada: Person) -> None:
    order = ada.client.post(ORDERS, LIMIT, headers={"Idempotency-Key": "first"}).json()
    set_venue(state="halted")

    refused = ada.client.post(ORDERS, LIMIT, headers={"Idempotency-Key": "second"})
    cancelled = ada.client.delete(f"{ORDERS}/{order['id']}")
    set_venue(state="open")
    opened = ada.client.post(ORDERS, LIMIT, headers={"Idempotency-Key": "second"})

    assert code_of(refused) == (503, "trading_halted")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert opened.status_code == 201


def _without_nonces(response: Any) -> str:
    return re.sub(r'(nonce|value)="[^"]*"', "", response.content.decode())


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::1", "unknown", "::ffff:8.8.8.8"])
def test_row_67_from_outside_there_is_no_admin(ada: Person, address: str) -> None:
    client = Client(REMOTE_ADDR=address)
    ada.user.is_staff = ada.user.is_superuser = True
    ada.user.save()
    client.force_login(ada.user)
    nothing = _without_nonces(client.get("/nothing-here/"))

    for path in ("/admin", "/admin/", "/admin/login/", "/admin/accounts/user/", "/admin/none"):
        response = client.get(path, headers={"X-Forwarded-For": "127.0.0.1"})
        assert response.status_code == 404, path
        assert _without_nonces(response) == nothing, path
    assert Client(REMOTE_ADDR="::ffff:10.1.2.3").get("/admin/").status_code == 302
    assert client.get("/adminsomething").status_code == 404


PARAMETERS: Final = {
    "symbol": "BTC-USDT", "asset": "BTC", "order_id": "1", "key": "x", "uidb36": "1",
    "app_label": "accounts", "content_type_id": "1", "object_id": "1", "url": "x",
    "path": "1", "token": "x", "id": "1", "account_id": "1000",
    "target": "1000", "notice_id": "1",
    "document_id": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def _addresses() -> list[str]:
    found = []
    for route, _ in _routes(get_resolver().url_patterns, "/"):
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: PARAMETERS.get(name[1], "1"), route)
        path = re.sub(r"\(\?P<(\w+)>.*?\)", lambda name: PARAMETERS.get(name[1], "1"), path)
        found.append(re.sub(r"[\^$]|\\Z", "", path).replace("\\.", "."))
    return found


def test_row_68_every_route_has_every_protective_header(ada: Person, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    ada.user.is_staff = ada.user.is_superuser = True
    # A name that stands in no example.
    ada.user.display_name = "Unmistakable"
    ada.user.save()
    client = Client(raise_request_exception=False)
    client.force_login(ada.user)
    wrong: list[Any] = []
    addresses = [*_addresses(), "/none", "/api/v1/none", "/static/css/base.css"]

    for path in addresses:
        response = client.get(path, secure=True)
        policy = response.headers.get("Content-Security-Policy", "")
        said = {
            "status": response.status_code < 500 or path.endswith(("/readyz", "/book")),
            "hsts": response.headers.get("Strict-Transport-Security") == "max-age=31536000",
            "nosniff": response.headers.get("X-Content-Type-Options") == "nosniff",
            "referrer": response.headers.get("Referrer-Policy") == "same-origin",
            "opener": response.headers.get("Cross-Origin-Opener-Policy") == "same-origin",
            "frames": "frame-ancestors 'none'" in policy,
            "inline": path.startswith("/admin/") or "unsafe-inline" not in policy,
            "server": "Server" not in response.headers,
            "kept": not _is_personal(response) or "no-store" in response.get("Cache-Control", ""),
        }
        wrong.append((path, response.status_code, [k for k, v in said.items() if not v]))
        if path.startswith("/accounts/logout"):
            client.force_login(ada.user)
    # It is the file, the last of all; closing any other would close the database's connection.
    response.close()
    assert [each for each in wrong if each[2]] == []
    assert len(addresses) > 60


def _is_personal(response: Any) -> bool:
    """Whether the answer holds something that is the person's own."""
    if response.streaming or response.status_code >= 300:
        return False
    return b"ada@example.com" in response.content or b"Unmistakable" in response.content
