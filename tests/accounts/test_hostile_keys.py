"""Hostile row 39, and what else can be tried with a signed request that is not one's own."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.db import connection

from apps.accounts.keys import actions, nonces
from apps.accounts.keys.models import ApiKey
from apps.accounts.models import User
from apps.core import clock, crypto, endpoint
from apps.trades.models import Order
from tests.accounts.key_client import Signer, key_for
from tests.api.conftest import LIMIT, Person, ada, bob, code_of, markets, without_valkey

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
__all__ = ["ada", "bob", "markets", "without_valkey"]
ORDERS = "/api/v1/orders"


@pytest.fixture
def robot(ada: Person) -> Signer:
    return key_for(ada.user, "read", "trade")


def nothing_was_ordered() -> bool:
    return not Order.objects.exists()


def test_row_39_a_request_that_is_sent_again_is_refused(robot: Signer) -> None:
    headers = robot.headers("GET", "/api/v1/me")
    first = robot.deliver("GET", "/api/v1/me", b"", headers)

    again = robot.deliver("GET", "/api/v1/me", b"", headers)

    assert first.status_code == 200
    assert code_of(again) == (401, "nonce_used")


def test_row_39_an_order_that_is_sent_again_is_placed_once(robot: Signer) -> None:
    body = b'{"market":"BTC-USDT","side":"buy","type":"limit","quantity":"0.01","price":"60000.00"}'
    headers = robot.headers("POST", ORDERS, body)

    answers = [robot.deliver("POST", ORDERS, body, headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 401, 401]
    assert Order.objects.count() == 1


@pytest.mark.parametrize("seconds", [-3600, -31, 31, 3600])
def test_row_39_a_timestamp_away_from_now_is_refused(robot: Signer, seconds: int) -> None:
    at_ms = time.time_ns() // 1_000_000 + seconds * 1000

    answer = robot.send("GET", "/api/v1/me", timestamp_ms=at_ms)

    assert code_of(answer) == (401, "timestamp_refused")


@pytest.mark.parametrize("seconds", [-29, 0, 29])
def test_a_timestamp_near_now_is_taken(robot: Signer, seconds: int) -> None:
    at_ms = time.time_ns() // 1_000_000 + seconds * 1000

    assert robot.send("GET", "/api/v1/me", timestamp_ms=at_ms).status_code == 200


def test_row_39_a_changed_body_is_refused(robot: Signer) -> None:
    body = b'{"market":"BTC-USDT","side":"buy","type":"limit","quantity":"0.01","price":"60000.00"}'
    headers = robot.headers("POST", ORDERS, body)

    answer = robot.deliver("POST", ORDERS, body.replace(b"0.01", b"0.91"), headers)

    assert code_of(answer) == (401, "signature_invalid")
    assert nothing_was_ordered()


def test_another_method_path_query_time_or_nonce_is_refused(robot: Signer) -> None:
    signed = robot.headers("GET", "/api/v1/orders?limit=5")

    answers = [
        robot.deliver("DELETE", "/api/v1/orders?limit=5", b"", signed),
        robot.deliver("GET", "/api/v1/fills?limit=5", b"", signed),
        robot.deliver("GET", "/api/v1/orders?limit=50", b"", signed),
        robot.deliver("GET", "/api/v1/orders", b"", signed),
        robot.deliver("GET", "/api/v1/orders?limit=5", b"", signed | {
            "HTTP_SUM1_TIMESTAMP": str(int(signed["HTTP_SUM1_TIMESTAMP"]) + 1)}),
        robot.deliver("GET", "/api/v1/orders?limit=5", b"", signed | {"HTTP_SUM1_NONCE": "n" * 24}),
    ]  # fmt: skip

    assert {code_of(answer) for answer in answers} == {(401, "signature_invalid")}
    assert robot.deliver("GET", "/api/v1/orders?limit=5", b"", signed).status_code == 200


def test_the_key_of_another_cannot_be_named(robot: Signer, bob: Person) -> None:
    others = key_for(bob.user)
    headers = robot.headers("GET", "/api/v1/me") | {"HTTP_SUM1_KEY": str(others.key.pk)}

    assert code_of(robot.deliver("GET", "/api/v1/me", b"", headers)) == (401, "signature_invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"HTTP_SUM1_KEY": ""},
        {"HTTP_SUM1_KEY": "5f0c2c1e-8f43-4a1c-9d0f-0c6a5d1f7a11"},
        {"HTTP_SUM1_KEY": "x" * 5000},
        {"HTTP_SUM1_SIGNATURE": ""},
        {"HTTP_SUM1_SIGNATURE": "A" * 43 + "="},
        {"HTTP_SUM1_SIGNATURE": "é"},
        {"HTTP_SUM1_SIGNATURE": "A" * 10_000},
        {"HTTP_SUM1_NONCE": ""},
        {"HTTP_SUM1_NONCE": "short"},
        {"HTTP_SUM1_NONCE": "n" * 65},
        {"HTTP_SUM1_NONCE": "a nonce with spaces"},
    ],
    ids=str,
)
def test_headers_that_are_none_are_refused_alike(robot: Signer, wrong: dict[str, str]) -> None:
    headers = robot.headers("GET", "/api/v1/me") | wrong

    assert code_of(robot.deliver("GET", "/api/v1/me", b"", headers)) == (401, "signature_invalid")


@pytest.mark.parametrize("text", ["", "0", "-1", "1e12", "1795262400", "१७९५२६२४००१२३", "9" * 40])
def test_timestamps_that_are_none_are_refused(robot: Signer, text: str) -> None:
    headers = robot.headers("GET", "/api/v1/me") | {"HTTP_SUM1_TIMESTAMP": text}

    assert code_of(robot.deliver("GET", "/api/v1/me", b"", headers)) == (401, "timestamp_refused")


def test_row_39_a_scope_that_the_key_lacks_is_refused(ada: Person) -> None:
    reader, trader = key_for(ada.user, "read"), key_for(ada.user, "trade")

    assert code_of(reader.send("POST", ORDERS, LIMIT)) == (403, "scope_missing")
    assert code_of(reader.send("DELETE", ORDERS)) == (403, "scope_missing")
    assert code_of(trader.send("GET", "/api/v1/balances")) == (403, "scope_missing")
    assert nothing_was_ordered()
    assert trader.send("POST", ORDERS, LIMIT).status_code == 201


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["203.0.113.7"], "203.0.113.7", True),
        (["203.0.113.7"], "203.0.113.8", False),
        (["203.0.113.0/24"], "203.0.113.200", True),
        (["203.0.113.0/24"], "203.0.114.1", False),
        (["203.0.113.7"], "::ffff:203.0.113.7", True),
        (["2001:db8::/48"], "2001:db8:0:1::5", True),
        (["2001:db8::/48"], "2001:db9::5", False),
        (["2001:db8::/48", "203.0.113.7"], "203.0.113.7", True),
        (["203.0.113.7"], "unknown", False),
    ],
)
def test_row_39_a_foreign_address_is_refused(
    ada: Person, networks: list[str], address: str, allowed: bool
) -> None:
    robot = key_for(ada.user, networks=networks)

    answer = robot.send("GET", "/api/v1/me", address=address)

    if allowed:
        assert answer.status_code == 200
    else:
        assert code_of(answer) == (403, "address_not_allowed")


def test_who_only_claims_another_address_is_refused(ada: Person) -> None:
    robot = key_for(ada.user, networks=["203.0.113.7"])
    headers = robot.headers("GET", "/api/v1/me") | {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}

    answer = robot.deliver("GET", "/api/v1/me", b"", headers, address="198.51.100.1")

    assert code_of(answer) == (403, "address_not_allowed")


def test_no_key_may_manage_keys_or_loosen_limits(ada: Person) -> None:
    robot = key_for(ada.user, "read", "trade", "transfer", "withdraw", networks=["127.0.0.1"])
    own = f"/api/v1/keys/{robot.key.pk}"

    answers = [
        robot.send("GET", "/api/v1/keys"),
        robot.send("POST", "/api/v1/keys", {"name": "More", "scopes": ["read"]}),
        robot.send("GET", own),
        robot.send("PATCH", own, {"networks": []}),
        robot.send("DELETE", own),
        robot.send("PUT", "/api/v1/risk/limits", {}),
    ]

    assert {code_of(answer) for answer in answers} == {(403, "key_not_allowed")}
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_a_revoked_an_expired_and_a_switched_off_key_end_at_once(ada: Person) -> None:
    now = clock.now()
    revoked = key_for(ada.user)
    dated = key_for(ada.user, expires_at=now + timedelta(hours=1))
    lasting = key_for(ada.user)
    assert revoked.send("GET", "/api/v1/me").status_code == 200

    actions.revoke_key(actor=ada.user, key_id=revoked.key.pk, now=now)

    assert code_of(revoked.send("GET", "/api/v1/me")) == (401, "key_revoked")
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        assert code_of(dated.send("GET", "/api/v1/me")) == (401, "key_expired")
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    assert code_of(lasting.send("GET", "/api/v1/me")) == (401, "signature_invalid")


def test_a_frozen_account_is_only_read(ada: Person, robot: Signer) -> None:
    User.objects.filter(pk=ada.user.pk).update(frozen_at=clock.now())

    assert robot.send("GET", "/api/v1/me").status_code == 200
    assert code_of(robot.send("POST", ORDERS, LIMIT)) == (403, "account_frozen")
    assert nothing_was_ordered()


@pytest.mark.usefixtures("without_valkey")
def test_without_valkey_only_reading_goes_on(ada: Person, settings: Any) -> None:
    gone = settings.REDIS_URL
    settings.REDIS_URL = settings.CELERY_BROKER_URL
    robot = key_for(ada.user)
    settings.REDIS_URL = gone

    assert robot.send("GET", "/api/v1/me").status_code == 200
    assert code_of(robot.send("POST", ORDERS, LIMIT)) == (503, "nonces_unavailable")
    assert nothing_was_ordered()


def test_what_was_signed_before_valkey_forgot_is_not_taken_again(
    valkey: redis.Redis, robot: Signer
) -> None:
    body = b'{"market":"BTC-USDT","side":"buy","type":"limit","quantity":"0.01","price":"60000.00"}'
    headers = robot.headers("POST", ORDERS, body)
    assert robot.deliver("POST", ORDERS, body, headers).status_code == 201

    valkey.flushdb()

    assert code_of(robot.deliver("POST", ORDERS, body, headers)) == (503, "nonces_unavailable")
    assert Order.objects.count() == 1
    later = time.time_ns() // 1_000_000 + 1_000
    assert robot.send("POST", ORDERS, LIMIT, timestamp_ms=later).status_code == 201


def test_of_thirty_that_use_one_nonce_at_once_one_gets_through(robot: Signer) -> None:
    found: list[nonces.Use] = []
    start = threading.Barrier(30)

    def try_it() -> None:
        start.wait()
        used = nonces.use(
            key_id=robot.key.pk, nonce="n" * 16, timestamp_ms=time.time_ns() // 1_000_000 + 9_000
        )
        found.append(used)

    threads = [threading.Thread(target=try_it) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found.count(nonces.Use.FIRST) == 1
    assert found.count(nonces.Use.REPEATED) == 29


def test_a_nonce_is_remembered_for_as_long_as_it_could_be_used_again(
    robot: Signer, valkey: redis.Redis
) -> None:
    robot.send("GET", "/api/v1/me")

    (name,) = valkey.keys("*nonce:*")
    assert 60_000 < valkey.pttl(name) <= 65_000


def test_a_secret_pasted_from_another_key_opens_nothing(
    ada: Person, robot: Signer, bob: Person, caplog: pytest.LogCaptureFixture
) -> None:
    others = key_for(bob.user)
    ApiKey.objects.filter(pk=robot.key.pk).update(secret=others.key.secret)

    forged = Signer(robot.key, others.secret)

    assert code_of(forged.send("GET", "/api/v1/me")) == (401, "signature_invalid")
    assert f"The secret of API key {robot.key.pk} cannot be opened" in caplog.text
    assert others.secret not in caplog.text


def test_a_copy_of_the_table_shows_no_secret(robot: Signer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, row_to_json(k)::text FROM accounts_apikey k")
        ((sealed, row),) = cursor.fetchall()

    assert robot.secret.encode() not in sealed
    assert robot.secret not in row
    assert robot.secret.encode().hex() not in row
    assert crypto.key_id_of(sealed) == crypto.newest_key_id()


def test_wrong_signatures_are_counted_and_then_held_back(
    robot: Signer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another test may have left that Valkey is not to be asked for a moment.
    monkeypatch.setattr(endpoint, "_unmetered_until", 0.0)
    settings.API_BURST, settings.API_PER_SECOND = 5, 0.001
    wrong = Signer(robot.key, "not the secret")

    statuses = [wrong.send("GET", "/api/v1/me").status_code for _ in range(8)]

    assert statuses == [401] * 5 + [429] * 3


def test_a_body_that_is_too_large_is_refused_before_it_is_hashed(robot: Signer) -> None:
    body = b"x" * 1_100_000

    answer = robot.deliver("POST", ORDERS, body, robot.headers("POST", ORDERS, body))

    assert code_of(answer) == (413, "body_too_large")
