"""The first page of the admin, its side menu and the queues: each by the rights of who looks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as ValkeyGone

from apps.accounts import roles
from apps.accounts.kyc.models import Verification
from apps.accounts.models import User
from apps.core import clock
from apps.markets import approvals
from apps.markets.queries import forget_instruments, instrument_by_symbol
from apps.pages.desk import figures, hours
from apps.pages.desk.queues import queues
from apps.wallets.models import Reconciliation
from tests.factories import Trader, market_staff, person

pytestmark = pytest.mark.django_db


def member(role: str) -> User:
    found = person(is_staff=True)
    found.groups.add(Group.objects.get(name=role))
    return found


def page(client: Client, who: User, path: str = "/admin/") -> str:
    client.force_login(who)
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def wait_for_a_decision(hours_ago: int = 5) -> Verification:
    then = clock.now() - timedelta(hours=hours_ago)
    return Verification.objects.create(
        person=person("waits@example.com"), tier=2, status="waiting", began_at=then,
        submitted_at=then,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("role", "shown", "hidden"),
    [
        (roles.SUPPORT, ["People", "Trading"], ["Money", "System"]),
        (roles.COMPLIANCE, ["People", "Trading", "Money"], ["System"]),
        (roles.TREASURY, ["People", "Money"], ["Trading", "System"]),
        (roles.MODERATOR, ["People"], ["Trading", "Money", "System"]),
        (roles.MARKET_OPERATIONS, ["Trading", "System"], ["People", "Money"]),
        (roles.ADMIN, ["People", "Trading", "Money", "System"], []),
    ],
)
def test_each_role_sees_its_parts(
    role: str, shown: list[str], hidden: list[str], world: Trader, client: Client
) -> None:
    seen = page(client, member(role))

    assert [part for part in shown if f"<h2>{part}</h2>" not in seen] == []
    assert [part for part in hidden if f"<h2>{part}</h2>" in seen] == []


def test_two_days_are_drawn_with_a_table_beside_each(world: Trader, client: Client) -> None:
    world.buy("0.10000", "50000.00")

    seen = page(client, member(roles.SUPPORT))

    assert seen.count("<svg viewBox=") == 3
    assert seen.count("<details><summary>As a table</summary>") == 3
    assert 'aria-label="Orders of people by the hour: 5 in 48 hours; most in an hour 5, at ' in seen


def test_hours_that_are_over_are_counted_once(
    world: Trader, django_assert_num_queries: Any
) -> None:
    world.buy("0.10000", "50000.00")
    now = clock.now()

    with django_assert_num_queries(4):
        first = hours.last_hours(now=now)
    with django_assert_num_queries(2):
        again = hours.last_hours(now=now)

    assert again == first
    assert len(first) == hours.HOURS
    assert [(hour.orders, hour.trades) for hour in first if hour.orders] == [(5, 2)]


def test_bars_are_as_high_as_their_part_of_the_highest() -> None:
    found = hours.bars([0, 1, 50, 1000], ["a", "b", "c", "d"])

    assert [(bar.x, bar.y, bar.height) for bar in found] == [
        (0, 100, 0), (10, 99, 1), (20, 95, 5), (30, 0, 100),
    ]  # fmt: skip


def test_what_waits_is_counted_in_the_menu_and_listed_for_who_decides(
    world: Trader, client: Client
) -> None:
    waiting = wait_for_a_decision()
    operator = market_staff()
    approvals.ask_for(
        actor=operator, kind="call_auction", instrument=instrument_by_symbol("BTC-USDT"),
        reason="thin book",
        now=clock.now(),
    )  # fmt: skip

    compliance = page(client, member(roles.COMPLIANCE), "/admin/queues/")
    markets = page(client, market_staff(), "/admin/queues/")
    support = page(client, member(roles.SUPPORT), "/admin/queues/")

    assert "Level 2 of waits@example.com" in compliance
    assert f"/admin/accounts/verification/{waiting.pk}/change/" in compliance
    assert "thin book" not in compliance
    assert "Open a market by an auction BTC-USDT: thin book" in markets
    assert "waits@example.com" not in markets
    assert "Your role decides in no queue." in support
    front = page(client, member(roles.ADMIN))
    assert "thin book" not in front
    assert "Market requests" in front


def test_a_queue_that_waits_too_long_warns(world: Trader) -> None:
    wait_for_a_decision(hours_ago=30)
    now = clock.now()
    found = {each.source.key: each for each in queues(has_right=lambda right: True, now=now)}

    late = figures.waiting(
        "Verifications", "verifications", lambda key: found[key].count, now, timedelta(days=1)
    )

    assert (late.value, late.note, late.tone) == ("1", "oldest 30 h", "warning")
    empty = figures.waiting(
        "Withdrawals", "withdrawals", lambda key: found[key].count, now, timedelta(hours=4)
    )
    assert (empty.value, empty.note, empty.tone) == ("0", "nothing waits", "good")


def test_an_alarm_of_the_reconciliation_is_seen(world: Trader, client: Client) -> None:
    zero = dict.fromkeys(
        ("chain_in_minor", "credited_minor", "chain_out_minor", "settled_minor", "by_hand_minor",
         "owed_minor"), 0,
    )  # fmt: skip
    Reconciliation.objects.create(made_at=clock.now(), asset_id=1, problem="5 is owed", **zero)

    seen = page(client, member(roles.TREASURY))

    assert "USDT: 5 is owed" in seen
    assert "figure--alarm" in seen


def test_the_first_page_takes_the_same_queries_and_few_when_it_was_read_of_late(
    world: Trader, client: Client, django_assert_num_queries: Any
) -> None:
    client.force_login(member(roles.ADMIN))
    client.get("/admin/")
    for price in range(50_000, 50_006):
        world.buy("0.00100", f"{price}.00")
    wait_for_a_decision()

    cache.clear()
    forget_instruments()
    with django_assert_num_queries(COLD):
        client.get("/admin/")
    with django_assert_num_queries(WARM):
        client.get("/admin/")


# Session, person, rights of his own and of his roles; then his latest actions, which unfold shows.
WARM = 4
COLD = 64


def test_without_valkey_the_page_says_what_is_unknown(
    world: Trader, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: object, **more: object) -> None:
        raise ValkeyGone("away")

    monkeypatch.setattr("apps.pages.desk.kept.cache.get", gone)
    monkeypatch.setattr("apps.pages.desk.kept.cache.set", gone)
    monkeypatch.setattr("apps.pages.desk.figures.client", gone)
    monkeypatch.setattr("apps.pages.desk.figures.matching.engine_health", gone)

    seen = page(client, member(roles.ADMIN))

    assert "Valkey does not answer" in seen
    assert "unknown" in seen


def test_who_is_no_staff_sees_neither(world: Trader, client: Client) -> None:
    for path in ("/admin/", "/admin/queues/"):
        client.logout()
        assert client.get(path).status_code in (302, 404)
        client.force_login(world.user)
        answer = client.get(path)
        assert answer.status_code in (302, 403)
        assert b"Waits for staff" not in answer.content
