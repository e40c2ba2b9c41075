"""The audit trail: bulk and raw writes are in it, nobody changes it, and it holds no secret."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, transaction
from django.db.models import Model
from pghistory.core import event_models
from pghistory.models import Context

from apps.accounts.keys import actions as keys
from apps.accounts.kyc.models import Verification
from apps.accounts.models import SignIn, User
from apps.core import audit, clock
from apps.core.models import AuditedRow
from apps.trades.risk.models import RiskLimits
from apps.wallets.models import TradingAccount
from tests.accounts.key_client import key_for
from tests.api.conftest import LIMIT, Person, ada, bob, markets

pytestmark = pytest.mark.django_db
__all__ = ["ada", "bob", "markets"]


def events(name: str, /, **which: Any) -> Any:
    model: Any = next(each for each in event_models() if each.__name__ == name)
    return model.objects.filter(**which).order_by("pgh_id")


def test_what_is_in_the_trail_and_what_is_not() -> None:
    assert audit.kept_tables() >= {
        "accounts_user", "accounts_apikey", "auth_group", "accounts_user_groups",
        "auth_group_permissions", "accounts_user_user_permissions", "markets_staffrequest",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            " AND (tgname LIKE 'pgtrigger_%%insert' OR tgname LIKE 'pgtrigger_%%update%%'"
            " OR tgname LIKE '%%_kept')"
        )
        watched = {table for (table,) in cursor.fetchall()}
    projected = {"trades_order", "trades_fill", "trades_position", "wallets_balance",
                 "wallets_ledgerentry", "markets_trade", "markets_candle",
                 "markets_instrument", "matching_journal"}  # fmt: skip
    assert watched >= {
        "trades_risklimits", "trades_restriction", "wallets_withdrawal", "wallets_withdrawallimit",
        "wallets_withdrawalpolicy", "wallets_withdrawaladdress", "wallets_withdrawalapproval",
        "wallets_adjustment", "accounts_verification", "accounts_document",
    }  # fmt: skip
    assert not watched & projected


def test_bulk_and_raw_writes_are_kept(ada: Person) -> None:
    User.objects.filter(pk=ada.user.pk).update(is_staff=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET kyc_tier = 2 WHERE id = %s", [ada.user.pk])
    User.objects.bulk_update([_with(ada.user, display_name="Other")], ["display_name"])

    rows = [
        (row.pgh_label, row.is_staff, row.kyc_tier, row.display_name)
        for row in events("UserEvent", pgh_obj_id=ada.user.pk)
    ]
    assert rows == [
        ("insert", False, 0, "Ada"),
        ("update", True, 0, "Ada"),
        ("update", True, 2, "Ada"),
        ("update", True, 2, "Other"),
    ]


def _with(user: User, **changes: Any) -> User:
    found = User.objects.get(pk=user.pk)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_roles_are_kept_whoever_gives_them(ada: Person) -> None:
    role = Group.objects.create(name="Night watch")
    role.permissions.add(Permission.objects.all()[0])
    ada.user.groups.add(role)
    ada.user.groups.clear()

    assert [row.name for row in events("RoleEvent", name="Night watch")] == ["Night watch"]
    assert events("RolePermissionEvent", group_id=role.pk).count() == 1
    held = events("RoleHolderEvent", user_id=ada.user.pk)
    assert [row.pgh_label for row in held] == ["insert", "delete"]


def test_limits_are_kept_though_their_key_has_two_columns(ada: Person) -> None:
    account = TradingAccount.objects.get(owner=ada.user)
    RiskLimits.objects.create(
        account=account, source="own", max_open_orders=5, changed_at=clock.now()
    )
    RiskLimits.objects.filter(account=account).update(max_open_orders=4)
    RiskLimits.objects.filter(account=account).delete()

    rows = AuditedRow.objects.filter(table_name="trades_risklimits").order_by("pk")
    assert [(row.label, row.row["max_open_orders"]) for row in rows] == [
        ("insert", 5),
        ("update", 4),
        ("delete", 4),
    ]


def test_a_verification_is_kept_without_what_was_said_in_it(ada: Person) -> None:
    row = Verification.objects.create(person=ada.user, tier=2, began_at=clock.now())
    with audit.because("Checked by hand"):
        Verification.objects.bulk_update([_refused(row)], ["status", "reason"])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_verification SET status = 'approved'")

    rows = AuditedRow.objects.filter(table_name="accounts_verification").order_by("pk")
    assert [(each.label, each.row["status"]) for each in rows] == [
        ("insert", "open"), ("update", "refused"), ("update", "approved"),
    ]  # fmt: skip
    assert not any("details" in each.row for each in rows)
    assert rows[1].pgh_context.metadata["reason"] == "Checked by hand"


def _refused(row: Verification) -> Verification:
    row.status, row.reason = Verification.Status.REFUSED, "No"
    return row


def test_nobody_changes_or_drops_what_is_kept(ada: Person) -> None:
    with connection.cursor() as cursor:
        for statement in (
            "UPDATE accounts_userevent SET is_staff = false",
            "DELETE FROM accounts_userevent",
            "DELETE FROM markets_staffrequestevent",
        ):
            if "markets" in statement:
                continue
            with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
                cursor.execute(statement)
    AuditedRow.objects.create(table_name="t", label="insert", at=clock.now(), row={})
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        AuditedRow.objects.all().delete()
    assert events("UserEvent").exists()


def test_the_trail_holds_no_secret(ada: Person) -> None:
    robot = key_for(ada.user)
    ada.user.set_password("another-long-enough-password")
    ada.user.save()

    for model in event_models():
        names = {field.name for field in model._meta.concrete_fields}
        assert not names & {"password", "secret", "public_key", "token_hash", "data"}, model
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(e::text, ' ') FROM accounts_apikeyevent e")
        ((text,),) = cursor.fetchall()
    assert robot.secret not in text
    assert str(robot.key.pk) in text


def test_a_request_says_whose_it_was(ada: Person) -> None:
    SignIn.objects.filter(user=ada.user).update(proved_at=clock.now())

    answer = ada.client.post("/api/v1/keys", {"name": "Robot", "scopes": ["read"]})

    (row,) = events("ApiKeyEvent")
    assert answer["X-Request-ID"] == str(row.pgh_context_id)
    assert row.pgh_context.metadata == {
        "method": "POST",
        "path": "/api/v1/keys",
        "address": "127.0.0.1",
        "user": ada.user.pk,
    }


def test_the_site_says_whose_it_was_too(ada: Person, client: Any) -> None:
    robot = key_for(ada.user)
    client.force_login(ada.user)

    client.post(f"/security/keys/{robot.key.pk}/revoke")

    row = events("ApiKeyEvent").last()
    assert (row.pgh_label, row.pgh_context.metadata["user"]) == ("update", ada.user.pk)


def test_a_signed_request_says_whose_it_was_but_placing_orders_pays_nothing(
    ada: Person, markets: None
) -> None:
    robot = key_for(ada.user)

    placed = robot.send("POST", "/api/v1/orders", LIMIT)

    assert placed.status_code == 201
    assert "X-Request-ID" not in placed


def test_a_reason_is_kept(ada: Person) -> None:
    with audit.because("He asked for it, ticket 7"):
        User.objects.filter(pk=ada.user.pk).update(is_active=False)

    row = events("UserEvent", pgh_obj_id=ada.user.pk).last()
    assert row.pgh_context.metadata == {"reason": "He asked for it, ticket 7"}


def test_use_of_a_key_is_no_change_of_it(ada: Person) -> None:
    robot = key_for(ada.user)
    keys.note_use(key=robot.key, address="203.0.113.1", now=clock.now())

    assert [row.pgh_label for row in events("ApiKeyEvent")] == ["insert"]


def test_what_is_too_old_is_dropped_with_what_was_said_about_it(ada: Person, settings: Any) -> None:
    with audit.because("an old reason"):
        User.objects.filter(pk=ada.user.pk).update(is_staff=True)
    AuditedRow.objects.create(table_name="t", label="insert", at=clock.now(), row={})
    assert audit.forget_old(now=clock.now()) == 0

    later = clock.now() + timedelta(days=settings.AUDIT_KEPT_DAYS + 1)
    count = audit.forget_old(now=later)

    assert count >= 3
    assert not AuditedRow.objects.exists()
    assert not Context.objects.exists()
    assert all(not _rows(model).exists() for model in event_models())


def _rows(model: type[Model]) -> Any:
    return model._default_manager.all()


def test_ids_of_requests_differ(ada: Person) -> None:
    first, second = (ada.client.post("/api/v1/auth/ticket")["X-Request-ID"] for _ in range(2))

    assert uuid.UUID(first) != uuid.UUID(second)
