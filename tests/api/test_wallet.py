"""Who one is, what one has, and every movement of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from apps.accounts.events import person_arrived
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Unavailable
from apps.matching.queries import projected_seq
from apps.wallets import actions as wallet_actions
from apps.wallets.models import Balance, LedgerEntry, TradingAccount
from tests.api.conftest import Person, code_of, person_of

pytestmark = pytest.mark.django_db


def test_me_is_who_sent_the_token(ada: Person) -> None:
    account = TradingAccount.objects.get(owner=ada.user)

    response = ada.client.get("/api/v1/me")

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {
        "id": str(ada.user.public_id),
        "email": "ada@example.com",
        "display_name": "Ada",
        "date_joined": clock.iso(ada.user.date_joined),
        "account": {"id": str(account.public_id), "kind": "main", "name": "Main"},
    }


def test_a_new_person_has_demo_funds_in_a_demo(ada: Person) -> None:
    account = TradingAccount.objects.get(owner=ada.user)

    response = ada.client.get("/api/v1/balances")

    assert response.status_code == 200
    body = response.json()
    assert body["account"] == str(account.public_id)
    assert [
        (row["asset"], row["available"], row["held"], row["total"]) for row in body["items"]
    ] == [
        ("USDT", "100000.00", "0.00", "100000.00"),
        ("BTC", "1.00000000", "0.00000000", "1.00000000"),
        ("ETH", "10.000000", "0.000000", "10.000000"),
    ]


def test_a_new_person_has_nothing_outside_a_demo(engine_gateway: Any, settings: Any) -> None:
    settings.DEMO = False

    person = person_of("eve@example.com")

    assert person.client.get("/api/v1/balances").json()["items"] == []
    assert TradingAccount.objects.get(owner=person.user).kind == "main"
    assert not LedgerEntry.objects.exists()


def test_signing_in_again_gives_nothing_again(ada: Person) -> None:
    before = list(Balance.objects.order_by("account_id", "asset_id").values())

    for _ in range(3):
        person_arrived(ada.user, clock.now())

    assert list(Balance.objects.order_by("account_id", "asset_id").values()) == before
    assert TradingAccount.objects.filter(owner=ada.user).count() == 1


def test_an_engine_that_is_down_at_sign_up_only_delays_the_account(
    engine_gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down:
        def submit(self, command: object, timeout_seconds: float = 2.0) -> None:
            raise Unavailable("engine_unavailable", "Down.", retry_after_seconds=1)

    with monkeypatch.context() as down:
        down.setattr(wallet_actions, "get_gateway", Down)
        person = person_of("eve@example.com")
        assert User.objects.filter(email="eve@example.com").exists()
        assert person.client.get("/api/v1/balances").json()["items"] == []

    # Trying again at every read would flood an engine that has just come back.
    assert person.client.get("/api/v1/balances").json()["items"] == []
    cache.clear()
    body = person.client.get("/api/v1/balances").json()
    assert [row["total"] for row in body["items"]] == ["100000.00", "1.00000000", "10.000000"]


def test_the_first_read_opens_an_account_that_is_missing(
    engine_gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as silent:
        silent.setattr("apps.accounts.events._welcomes", [])
        person = person_of("eve@example.com")
    assert not TradingAccount.objects.filter(owner=person.user).exists()

    body = person.client.get("/api/v1/balances").json()

    assert len(body["items"]) == 3


def test_the_ledger_shows_each_movement_newest_first(ada: Person) -> None:
    response = ada.client.get("/api/v1/ledger")

    assert response.status_code == 200
    body = response.json()
    assert body["next"] is None
    assert [
        (row["asset"], row["amount"], row["kind"], row["reference"]) for row in body["items"]
    ] == [
        ("ETH", "10.000000", "deposit", "welcome"),
        ("BTC", "1.00000000", "deposit", "welcome"),
        ("USDT", "100000.00", "deposit", "welcome"),
    ]
    assert sorted(body["items"][0]) == [
        "amount", "asset", "at", "fee", "id", "kind", "note", "reference", "seq",
    ]  # fmt: skip


def test_the_ledger_of_one_asset(ada: Person) -> None:
    body = ada.client.get("/api/v1/ledger", {"asset": "btc"}).json()

    assert [row["asset"] for row in body["items"]] == ["BTC"]
    assert ada.client.get("/api/v1/ledger", {"asset": "NONE"}).json()["items"] == []


def test_pages_follow_each_other_without_gap_or_overlap(ada: Person) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        body = ada.client.get("/api/v1/ledger", {"limit": "1", **cursor}).json()
        seen += [row["asset"] for row in body["items"]]
        cursor = {"cursor": body["next"]}

    assert seen == ["ETH", "BTC", "USDT"]
    assert body["next"] is None


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "-1"}, "invalid_limit"),
        ({"limit": "ten"}, "invalid_limit"),
        ({"limit": "1.5"}, "invalid_limit"),
        ({"limit": "٣"}, "invalid_limit"),
        ({"limit": "1_0"}, "invalid_limit"),
        ({"limit": "9" * 30}, "invalid_limit"),
        ({"cursor": "5"}, "invalid_cursor"),
        ({"cursor": "x.y"}, "invalid_cursor"),
        ({"cursor": ""}, "too_short"),
        ({"cursor": "%00"}, "invalid_cursor"),
        ({"cursor": "\x00"}, "control"),
        ({"offset": "-1"}, "unknown_parameter"),
        ({"account__owner": "1"}, "unknown_parameter"),
        ({"min_seq": "-5"}, "invalid_min_seq"),
        ({"min_seq": str(2**70)}, "invalid_min_seq"),
        ({"account": "1"}, "invalid_id"),
        ({"account": "' OR 1=1"}, "invalid_id"),
        ({"asset": "x" * 50}, "invalid_text"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused(ada: Person, query: dict[str, str], code: str) -> None:
    assert code_of(ada.client.get("/api/v1/ledger", query)) == (400, code)


def test_a_parameter_given_twice_is_refused(ada: Person) -> None:
    response = ada.client.get("/api/v1/ledger?limit=1&limit=2")

    assert code_of(response) == (400, "repeated_parameter")


def test_a_page_has_at_most_two_hundred_rows(ada: Person) -> None:
    assert ada.client.get("/api/v1/ledger", {"limit": "1000000000"}).status_code == 200


def test_a_cursor_works_unchanged_and_in_its_own_list_only(ada: Person) -> None:
    cursor = ada.client.get("/api/v1/ledger", {"limit": 1}).json()["next"]
    number, seal = cursor.split(".")

    changed = f"{int(number) - 1}.{seal}"
    assert code_of(ada.client.get("/api/v1/ledger", {"cursor": changed})) == (
        400, "invalid_cursor",
    )  # fmt: skip
    assert code_of(ada.client.get("/api/v1/fills", {"cursor": cursor})) == (
        400, "invalid_cursor",
    )  # fmt: skip


def test_a_read_waits_for_what_was_written_and_not_for_ever(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = projected_seq()
    assert ada.client.get("/api/v1/balances", {"min_seq": reached}).status_code == 200
    monkeypatch.setattr("apps.matching.api.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("apps.matching.api.journaled_seq", lambda: reached + 1)

    response = ada.client.get("/api/v1/balances", {"min_seq": reached + 1})

    assert code_of(response) == (503, "not_yet_projected")
    assert response["Retry-After"] == "1"


def test_nobody_waits_for_what_has_not_been_decided(
    anybody: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waited(seq: int, timeout_seconds: float) -> bool:
        raise AssertionError(f"waited for {seq}")

    monkeypatch.setattr("apps.matching.api.wait_for_seq", waited)

    response = anybody.get("/api/v1/tickers", {"min_seq": projected_seq() + 1})

    assert code_of(response) == (503, "not_yet_projected")


@pytest.mark.parametrize("path", ["me", "balances", "ledger"])
def test_nobody_sees_nothing(anybody: APIClient, path: str) -> None:
    response = anybody.get(f"/api/v1/{path}")

    assert code_of(response) == (401, "authentication_required")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("path", ["balances", "ledger", "orders", "fills"])
def test_anothers_account_looks_like_none(ada: Person, bob: Person, path: str) -> None:
    theirs = TradingAccount.objects.get(owner=bob.user).public_id
    absent = "00000000-0000-4000-8000-000000000000"

    foreign = ada.client.get(f"/api/v1/{path}", {"account": str(theirs)})
    missing = ada.client.get(f"/api/v1/{path}", {"account": absent})

    assert code_of(foreign) == (404, "unknown_account")
    assert foreign.content == missing.content


@pytest.mark.parametrize(("path", "count"), [("me", 1), ("balances", 2), ("ledger", 2)])
def test_reads_cost_a_fixed_number_of_queries(
    ada: Person, django_assert_num_queries: Any, path: str, count: int
) -> None:
    with django_assert_num_queries(count):
        ada.client.get(f"/api/v1/{path}")
