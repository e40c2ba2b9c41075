"""The matrix of roles and pages of the admin: who may look, who may change, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pghistory.core import event_models

from apps.accounts import roles
from apps.accounts.actions import register_person
from apps.accounts.models import User
from apps.core import clock
from apps.matching.gateway import Gateway

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"

# What each role sees in the admin; ``*`` are pages on which it can change something as well.
BOOKS = (
    " tradingaccount ledgerentry withdrawal withdrawallimit chaindeposit chainvault adjustment"
    " internaltransfer reconciliation liabilitytree"
)
SEEN = {
    "support": "user signin apikey deletion tradingaccount order fill movement restriction"
    " withdrawal chaindeposit",
    "compliance": "user* signin apikey deletion order fill movement restriction"
    + BOOKS
    + " verification auditedrow userevent apikeyevent roleevent roleholderevent rolepermissionevent"
    " ownpermissionevent staffrequestevent",
    "treasury": "user" + BOOKS,
    "moderator": "user",
    "market operations": "asset instrument trade staffrequest marketchange tradingaccount order"
    " fill movement restriction",
    "admin": "user* signin apikey deletion order fill movement restriction" + BOOKS + " asset"
    " instrument trade staffrequest marketchange auditedrow userevent apikeyevent roleevent"
    " roleholderevent rolepermissionevent ownpermissionevent staffrequestevent",
}


def member(email: str, role: str | None = None, **rights: bool) -> User:
    person = register_person(
        email=email, password=PASSWORD, display_name="Somebody", now=clock.now(), is_staff=True,
        **rights,
    )  # fmt: skip
    if role is not None:
        person.groups.add(Group.objects.get(name=role))
    return person


@pytest.fixture
def desk(engine_gateway: Gateway) -> dict[str, Client]:
    """A member of staff of each role, signed in."""
    found = {}
    for index, role in enumerate(roles.ROLES):
        found[role] = Client()
        found[role].force_login(member(f"staff{index}@example.com", role))
    return found


def pages() -> dict[str, str]:
    """Return the list of each model of ours in the admin."""
    return {
        str(model._meta.model_name): reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
        for model in admin.site._registry
    }


def test_every_right_that_a_role_names_is_there() -> None:
    known = {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Permission.objects.select_related("content_type")
    }

    assert set().union(*roles.ROLES.values()) <= known


def test_the_page_for_operators_has_the_same_table() -> None:
    page = (settings.BASE_DIR / "docs" / "operations.md").read_text()

    assert roles.table() in page, "Put what `manage.py make_roles --table` prints into the page."


def test_the_roles_are_made_and_making_them_again_changes_nothing() -> None:
    made = {role.name: {p.codename for p in role.permissions.all()} for role in Group.objects.all()}
    support = Group.objects.get(name="support")
    support.permissions.add(Permission.objects.get(codename="change_user"))

    call_command("make_roles")

    again = {
        role.name: {p.codename for p in role.permissions.all()} for role in Group.objects.all()
    }
    assert set(made) == set(roles.ROLES)
    assert again == made


@pytest.mark.parametrize("role", SEEN)
def test_each_role_sees_its_pages_and_no_other(desk: dict[str, Client], role: str) -> None:
    seen = {name.removesuffix("*") for name in SEEN[role].split()}

    answers = {name: desk[role].get(page).status_code for name, page in pages().items()}

    assert {name for name, status in answers.items() if status == 200} == seen
    assert {status for name, status in answers.items() if name not in seen} == {403}


def test_staff_without_a_role_see_nothing(engine_gateway: Gateway, client: Client) -> None:
    client.force_login(member("nobody@example.com"))

    assert {client.get(page).status_code for page in pages().values()} == {403}
    assert client.get("/admin/").status_code == 200


def test_people_who_are_no_staff_get_nowhere(engine_gateway: Gateway, client: Client) -> None:
    person = register_person(
        email="ada@example.com", password=PASSWORD, display_name="Ada", now=clock.now()
    )
    person.groups.add(Group.objects.get(name="admin"))
    client.force_login(person)

    assert {client.get(page).status_code for page in pages().values()} <= {302, 403}


@pytest.mark.parametrize("role", SEEN)
def test_only_some_roles_change_people_and_they_say_why(desk: dict[str, Client], role: str) -> None:
    person = register_person(
        email="ada@example.com", password=PASSWORD, display_name="Ada", now=clock.now()
    )
    address = reverse("admin:accounts_user_change", args=[person.pk])
    given = {"display_name": "Ada", "is_active": ""}

    desk[role].post(address, given)
    assert User.objects.get(pk=person.pk).is_active
    desk[role].post(address, {**given, "reason": "Ticket 7"})

    may = "user*" in SEEN[role]
    assert User.objects.get(pk=person.pk).is_active is not may
    model: Any = next(each for each in event_models() if each.__name__ == "UserEvent")
    reasons = [
        row.pgh_context.metadata["reason"]
        for row in model.objects.filter(pgh_obj_id=person.pk, pgh_label="update")
    ]
    assert reasons == (["Ticket 7"] if may else [])


def test_nobody_but_a_superuser_gives_out_rights_or_touches_staff(desk: dict[str, Client]) -> None:
    person = register_person(
        email="ada@example.com", password=PASSWORD, display_name="Ada", now=clock.now()
    )
    boss = member("boss@example.com", is_superuser=True)
    given = {"display_name": "Ada", "is_active": "on", "is_staff": "on", "is_superuser": "on",
             "groups": [group.pk for group in Group.objects.all()], "reason": "No"}  # fmt: skip

    for client in (desk["admin"], desk["compliance"]):
        client.post(reverse("admin:accounts_user_change", args=[person.pk]), given)
        client.post(
            reverse("admin:accounts_user_change", args=[boss.pk]),
            {"display_name": "Boss", "is_active": "", "reason": "A coup"},
        )

    kept = User.objects.get(pk=person.pk)
    assert (kept.is_staff, kept.is_superuser, kept.groups.count()) == (False, False, 0)
    assert User.objects.get(pk=boss.pk).is_active


def test_a_superuser_gives_a_role_and_the_trail_has_it(
    engine_gateway: Gateway, client: Client
) -> None:
    boss = member("boss@example.com", is_superuser=True)
    helper = member("helper@example.com")
    client.force_login(boss)

    client.post(
        reverse("admin:accounts_user_change", args=[helper.pk]),
        {
            "display_name": "Helper", "is_active": "on", "is_staff": "on",
            "groups": [Group.objects.get(name="support").pk], "reason": "New in the team",
        },
    )  # fmt: skip

    model: Any = next(each for each in event_models() if each.__name__ == "RoleHolderEvent")
    row = model.objects.get(user_id=helper.pk)
    assert row.pgh_context.metadata["reason"] == "New in the team"
    assert row.pgh_context.metadata["user"] == boss.pk
    page = client.get(reverse("admin:accounts_roleholderevent_changelist")).content.decode()
    assert "New in the team" in page
    assert f"POST /admin/accounts/user/{helper.pk}/change/" in page


def test_the_trail_can_only_be_read(desk: dict[str, Client]) -> None:
    for name in (page for page in pages() if page.endswith("event")):
        assert desk["admin"].get(f"{pages()[name]}add/").status_code == 403
    assert desk["admin"].get(f"{pages()['auditedrow']}add/").status_code == 403
