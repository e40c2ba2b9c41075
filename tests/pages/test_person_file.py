"""The file of a person: all in one place for staff, each part by its right."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client

from apps.accounts import freezing, roles
from apps.accounts.casework.actions import add_note, freeze_person, lift_freeze
from apps.accounts.casework.models import NOTE_LENGTH_MAX, StaffFreeze, StaffNote
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Invalid, NotAllowed, NotFound
from apps.core.models import OutboxEvent
from apps.markets.queries import forget_instruments
from tests.factories import Trader, person

pytestmark = pytest.mark.django_db


def address_of(someone: User) -> str:
    return f"/admin/people/{someone.public_id}/"


def member(role: str) -> User:
    roles.make_roles()
    found = person(f"{role.replace(' ', '-')}@example.com", is_staff=True)
    found.groups.add(Group.objects.get(name=role))
    return found


def seen(client: Client, who: User, someone: User) -> str:
    client.force_login(who)
    answer = client.get(address_of(someone))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_support_sees_all_of_a_person_in_one_place(world: Trader, client: Client) -> None:
    world.buy("0.10000", "50000.00")

    page = seen(client, member(roles.SUPPORT), world.user)

    assert "ada@example.com" in page
    assert "<h2>Limits of risk" in page
    assert "<td>BTC</td>" in page
    assert '<td class="number">0.1' in page
    assert "50000.00" in page
    assert "A password alone: no second factor." in page
    assert "Nobody has written anything." in page


@pytest.mark.parametrize(
    ("role", "shown", "hidden"),
    [
        (
            roles.MODERATOR,
            ["Notes of staff"],
            [
                "Verifications",
                "Balances",
                "Trading",
                "How they get in",
                "API k",
                "Freezes",
                "Changes of the person",
            ],
        ),
        (roles.TREASURY, ["Balances", "Latest withdrawals"], ["How they get in", "API keys"]),
        (
            roles.COMPLIANCE,
            [
                "Verifications",
                "Balances",
                "Trading",
                "How they get in",
                "API keys",
                "Freezes by staff",
                "Limits of risk",
                "Changes of the person",
            ],
            [],
        ),
    ],
)
def test_a_role_sees_the_parts_that_it_has_a_right_to(
    role: str, shown: list[str], hidden: list[str], world: Trader, client: Client
) -> None:
    page = seen(client, member(role), world.user)

    assert [words for words in shown if f"<h2>{words}" not in page] == []
    assert [words for words in hidden if f"<h2>{words}" in page] == []


def test_who_may_not_see_people_sees_no_file(world: Trader, client: Client) -> None:
    client.force_login(member(roles.MARKET_OPERATIONS))
    assert client.get(address_of(world.user)).status_code == 403

    client.force_login(world.user)
    answer = client.get(address_of(world.user))
    assert answer.status_code in (302, 403)
    assert world.user.email.encode() not in answer.content


def test_nobody_has_a_file_that_is_not_there(world: Trader, client: Client) -> None:
    client.force_login(member(roles.SUPPORT))

    assert client.get(f"/admin/people/{uuid.uuid4()}/").status_code == 404


def test_a_note_is_kept_with_who_wrote_it_and_is_shown_as_text(
    world: Trader, client: Client
) -> None:
    author = member(roles.SUPPORT)
    client.force_login(author)

    answer = client.post(address_of(world.user), {"text": " Called: <b>lost</b> phone. "})

    assert answer.status_code == 302
    note = StaffNote.objects.get()
    assert (note.person, note.author, note.text) == (
        world.user, author, "Called: <b>lost</b> phone.",
    )  # fmt: skip
    page = seen(client, author, world.user)
    assert "Called: &lt;b&gt;lost&lt;/b&gt; phone." in page


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (NOTE_LENGTH_MAX + 1), "a\x00b"])
def test_a_note_that_is_none_is_refused(text: str, world: Trader, client: Client) -> None:
    author = member(roles.SUPPORT)
    client.force_login(author)

    answer = client.post(address_of(world.user), {"text": text})

    assert answer.status_code == 200
    assert "A note has 1 to 1000 characters." in answer.content.decode()
    assert not StaffNote.objects.exists()
    with pytest.raises(Invalid):
        add_note(actor=author, person=world.user, text=text, now=clock.now())


def test_only_staff_write_notes(world: Trader) -> None:
    with pytest.raises(NotAllowed):
        add_note(actor=world.user, person=world.user, text="mine", now=clock.now())

    assert not StaffNote.objects.exists()


def test_the_file_takes_as_many_queries_however_much_there_is(
    world: Trader, client: Client, django_assert_num_queries: Any
) -> None:
    client.force_login(member(roles.SUPPORT))
    for price in range(50_000, 50_012):
        world.buy("0.00100", f"{price}.00")

    client.get(address_of(world.user))
    # What the menu counts and which markets there are is kept for some seconds; not here.
    cache.clear()
    forget_instruments()

    with django_assert_num_queries(QUERIES):
        assert client.get(address_of(world.user)).status_code == 200


QUERIES = 30


def test_staff_freeze_an_account_that_its_owner_cannot_open(world: Trader, client: Client) -> None:
    world.buy("0.00100", "10000.00")
    actor = member(roles.COMPLIANCE)
    client.force_login(actor)
    silent = client.post(address_of(world.user), {"act": "freeze", "reason": " "})
    frozen_silent = User.objects.get(pk=world.user.pk).frozen_at

    client.post(address_of(world.user), {"act": "freeze", "reason": "taken over"})
    person = User.objects.get(pk=world.user.pk)
    twice = client.post(address_of(world.user), {"act": "freeze", "reason": "again"})
    with pytest.raises(NotFound) as link:
        freezing.person_of(token=freezing.token_for(person))
    shown = seen(client, actor, person)
    client.post(address_of(person), {"act": "lift", "reason": "it was her"})

    assert "Say why, in up to 200 characters" in silent.content.decode()
    assert frozen_silent is None
    assert person.frozen_at is not None
    assert "Staff have frozen this account already." in twice.content.decode()
    assert link.value.code == "frozen_by_staff"
    assert "frozen by staff" in shown
    assert "taken over" in shown
    assert User.objects.get(pk=person.pk).frozen_at is None
    kept = StaffFreeze.objects.get()
    assert (kept.frozen_by, kept.reason, kept.lifted_by, kept.lift_reason) == (
        actor, "taken over", actor, "it was her",
    )  # fmt: skip
    topics = list(OutboxEvent.objects.order_by("id").values_list("topic", flat=True))
    assert [topic for topic in topics if topic != "notice"] == ["person_frozen", "person_unfrozen"]
    told = OutboxEvent.objects.filter(topic="notice").order_by("id")
    assert [event.data["kind"] for event in told if "frozen" in event.data["kind"]] == [
        "account_frozen_by_staff", "account_unfrozen",
    ]  # fmt: skip


def test_what_its_owner_had_frozen_stays_frozen_when_staff_lift_theirs(world: Trader) -> None:
    freezing.freeze(actor=world.user, now=clock.now())
    actor = member(roles.COMPLIANCE)
    freeze_person(actor=actor, person=world.user, reason="to be sure", now=clock.now())

    lift_freeze(actor=actor, person=world.user, reason="done", now=clock.now())

    assert User.objects.get(pk=world.user.pk).frozen_at is not None


def test_who_has_no_right_freezes_nobody(world: Trader, client: Client) -> None:
    officer = member(roles.COMPLIANCE)
    for actor, about in (
        (member(roles.SUPPORT), world.user),
        (officer, member(roles.TREASURY)),
        (officer, officer),
        (world.user, world.user),
    ):
        client.force_login(actor)
        answer = client.post(address_of(about), {"act": "freeze", "reason": "because"})
        assert answer.status_code in (302, 403)
        with pytest.raises(NotAllowed):
            freeze_person(actor=actor, person=about, reason="because", now=clock.now())

    assert not StaffFreeze.objects.exists()
    assert not User.objects.exclude(frozen_at=None).exists()
