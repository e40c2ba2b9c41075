"""The audit trail in one list: by who did it, to what, and when; each sees what he may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import roles
from apps.accounts.models import User
from apps.core import clock
from apps.core.audit import because
from apps.pages import trail
from apps.wallets.withdrawals.models import WithdrawalLimit
from tests.factories import Trader, person

pytestmark = pytest.mark.django_db
PAGE = "/admin/trail/"


def member(role: str) -> User:
    roles.make_roles()
    found = person(f"{role.replace(' ', '-')}@example.com", is_staff=True)
    found.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=found.pk)


def look(who: User, before: str = "", **asked: str) -> trail.Trail:
    texts = {**dict.fromkeys(trail.FIELDS, ""), **asked}
    return trail.trail_page(has_right=who.has_perm, texts=texts, before=before)


def test_all_tables_are_in_one_list(world: Trader, client: Client) -> None:
    carl = member(roles.COMPLIANCE)
    client.force_login(carl)
    address = f"/admin/accounts/user/{world.user.pk}/change/"
    client.post(address, {"display_name": "Ada", "is_active": "", "reason": "Ticket <7>"})
    with because("Fewer tips"):
        limit = WithdrawalLimit.objects.create(tier=0, day_minor=1, month_minor=2, reason="Tips")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE wallets_withdrawallimit SET day_minor = 9")

    by_carl = look(carl, actor="compliance@example.com")
    of_limit = look(carl, table="wallets_withdrawallimit", row=str(limit.pk))
    of_user = look(carl, table="accounts_user", row=str(world.user.pk))
    page = client.get(PAGE, {"actor": str(carl.pk)}).content.decode()

    assert [(row.subject, row.label, row.told["reason"]) for row in by_carl.rows] == [
        ("accounts_user", "update", "Ticket <7>")
    ]
    assert by_carl.rows[0].who == "compliance@example.com"
    assert [(row.label, row.row["day_minor"]) for row in of_limit.rows] == [
        ("update", 9), ("insert", 1),
    ]  # fmt: skip
    assert {row.subject for row in of_user.rows} == {"accounts_user"}
    assert "Ticket &lt;7&gt;" in page
    secret = User.objects.get(pk=world.user.pk).password
    assert secret not in str(look(carl, row=str(world.user.pk)))


def test_pages_follow_each_other_at_a_fixed_price(
    world: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    carl = member(roles.COMPLIANCE)
    whole = [row.cursor for row in look(carl).rows]
    monkeypatch.setattr(trail, "ROWS_SHOWN", 4)
    turned: list[str] = []
    before = ""
    for _ in range(20):
        with CaptureQueriesContext(connection) as asked:
            found = look(carl, before)
        turned += [row.cursor for row in found.rows]
        assert len(asked) <= 2
        if found.next is None:
            break
        before = found.next

    assert turned[: len(whole)] == whole
    assert len(set(turned)) == len(turned) > len(whole) == 50
    assert whole == sorted(whole, key=lambda each: each.split("|")[0], reverse=True)


def test_a_period_holds_what_is_in_it(world: Trader) -> None:
    carl, now = member(roles.COMPLIANCE), clock.now()
    later, earlier = (now + timedelta(hours=1)).isoformat(), (now - timedelta(hours=1)).isoformat()

    assert look(carl, since=later).rows == look(carl, until=earlier).rows == []
    assert look(carl, since=earlier, until=later).rows == look(carl).rows


@pytest.mark.parametrize(
    "asked",
    [
        {"actor": "nobody@example.com"}, {"actor": "x\x00"}, {"since": "soon"}, {"before": "x"},
        {"before": "2026-11-22|1|x"}, {"table": "'; DROP TABLE x; --"}, {"row": "%s"},
        {"actor": "9" * 40}, {"since": "0001-01-01"}, {"until": "9999-12-31"},
    ],
)  # fmt: skip
def test_hostile_questions_find_nothing(
    world: Trader, client: Client, asked: dict[str, Any]
) -> None:
    client.force_login(member(roles.COMPLIANCE))

    answer = client.get(PAGE, asked)

    assert answer.status_code == 200
    assert "nothing like it" in answer.content.decode()


def test_who_may_not_look_sees_nothing(world: Trader, client: Client) -> None:
    for role in (roles.SUPPORT, roles.TREASURY, roles.MODERATOR, roles.MARKET_OPERATIONS):
        client.force_login(member(role))
        assert client.get(PAGE).status_code == 403
    assert client.post(PAGE).status_code in (403, 405)
    client.logout()
    assert client.get(PAGE).status_code == 302
