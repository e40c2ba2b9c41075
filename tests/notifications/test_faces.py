"""The inbox on the site and notices through the API: thin faces, and nothing of anybody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.notifications import actions, queries
from apps.notifications.models import Notice
from tests.api.conftest import Person, code_of, person_of
from tests.factories import person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
API = "/api/v1/notifications"


def _tell(who: User, kind: str = "deposit_seen", **data: str) -> Notice:
    return actions.notify(person=who, kind=kind, data=data, now=NOON)


@pytest.fixture
def ada() -> Person:
    return person_of("ada@example.com")


@pytest.fixture
def bob() -> Person:
    return person_of("bob@example.com")


@pytest.fixture
def site(ada: Person, client: Client) -> Client:
    client.force_login(ada.user)
    return client


def test_the_inbox_shows_ones_own_notices_and_how_many_are_unread(
    site: Client, ada: Person, bob: Person
) -> None:
    _tell(ada.user, "deposit_credited", amount="0.5", asset="<b>BTC</b>")
    read = _tell(ada.user, "password_changed")
    _tell(bob.user, "withdrawal_failed")
    actions.mark_read(actor=ada.user, notice_id=read.pk, now=NOON)

    page = site.get("/notifications").content.decode()

    assert "Your deposit is here" in page
    assert "0.5 &lt;b&gt;BTC&lt;/b&gt; are in your account." in page
    assert "Your password was changed" in page
    assert "Your withdrawal failed" not in page
    assert 'aria-label="Notices, 1 unread"' in page
    assert f'data-person="{ada.user.public_id}"' in page


@pytest.mark.parametrize(
    ("show", "titles"),
    [
        ("", ["Your password was changed", "A deposit is on its way"]),
        ("unread", ["Your password was changed"]),
        ("security", ["Your password was changed"]),
        ("money", ["A deposit is on its way"]),
        ("trading", []),
    ],
)
def test_the_inbox_shows_what_was_asked_for(
    site: Client, ada: Person, show: str, titles: list[str]
) -> None:
    read = _tell(ada.user, "deposit_seen")
    _tell(ada.user, "password_changed")
    actions.mark_read(actor=ada.user, notice_id=read.pk, now=NOON)

    response = site.get("/notifications", {"show": show})

    assert [row["title"] for row in response.context["notices"]] == titles


def test_the_inbox_goes_on_page_by_page_and_refuses_nonsense(site: Client, ada: Person) -> None:
    for _ in range(31):
        _tell(ada.user)

    first = site.get("/notifications")
    second = site.get("/notifications", {"before": first.context["next"]})

    assert (len(first.context["notices"]), len(second.context["notices"])) == (30, 1)
    assert second.context["next"] is None
    for query in ({"show": "x"}, {"before": "x"}, {"before": "-1"}):
        assert site.get("/notifications", query).status_code == 400


def test_opening_a_notice_marks_it_read_and_anothers_is_not_there(
    site: Client, ada: Person, bob: Person
) -> None:
    mine, theirs = _tell(ada.user, "kyc_approved"), _tell(bob.user)

    opened = site.post(f"/notifications/{mine.pk}/open")
    foreign = site.post(f"/notifications/{theirs.pk}/open")
    absent = site.post("/notifications/999999/open")

    assert opened.status_code == 302
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert queries.unread_count(viewer=ada.user) == 0
    assert queries.unread_count(viewer=bob.user) == 1
    assert site.get(f"/notifications/{mine.pk}/open").status_code == 405


def test_the_button_marks_what_was_seen(site: Client, ada: Person) -> None:
    seen = _tell(ada.user)
    _tell(ada.user)

    response = site.post("/notifications/read", {"up_to": str(seen.pk)})

    assert (response.status_code, response["Location"]) == (302, "/notifications")
    assert queries.unread_count(viewer=ada.user) == 1


@pytest.mark.parametrize("path", ["/notifications", "/notifications?show=unread"])
def test_who_is_not_signed_in_is_asked_to(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")
    assert b"icon-button bell" not in client.get("/markets").content


def test_the_api_lists_counts_and_marks(ada: Person) -> None:
    first, second, third = (_tell(ada.user, "deposit_seen") for _ in range(3))

    page = ada.client.get(API, {"limit": 2}).json()
    rest = ada.client.get(API, {"limit": 2, "cursor": page["next"]}).json()
    read = ada.client.post(f"{API}/{second.pk}/read", {}).json()
    unread = ada.client.get(API, {"show": "unread", "category": "money"}).json()
    up_to = ada.client.post(f"{API}/read", {"up_to": str(first.pk)}).json()
    everything = ada.client.post(f"{API}/read", {}).json()

    assert [row["id"] for row in page["items"]] == [str(third.pk), str(second.pk)]
    assert (page["unread"], rest["next"]) == (3, None)
    assert [row["id"] for row in rest["items"]] == [str(first.pk)]
    assert set(read) == {
        "id", "kind", "category", "title", "text", "url", "created_at", "read_at",
    }  # fmt: skip
    assert read["read_at"] is not None
    assert [row["id"] for row in unread["items"]] == [str(third.pk), str(first.pk)]
    assert (up_to, everything) == ({"marked": 1, "unread": 1}, {"marked": 1, "unread": 0})
    assert ada.client.get(f"{API}/unread").json() == {"unread": 0}


def test_the_api_answers_a_stranger_as_if_there_were_nothing(ada: Person, bob: Person) -> None:
    theirs = _tell(bob.user)

    foreign = ada.client.post(f"{API}/{theirs.pk}/read", {})
    absent = ada.client.post(f"{API}/{theirs.pk + 1}/read", {})

    assert code_of(foreign) == code_of(absent) == (404, "notice_not_found")
    assert foreign.content == absent.content
    up_to = ada.client.post(f"{API}/read", {"up_to": str(theirs.pk)})
    assert code_of(up_to) == (404, "notice_not_found")
    assert ada.client.get(API).json()["items"] == []
    assert queries.unread_count(viewer=bob.user) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "-1"}, "invalid_limit"),
        ({"cursor": "412"}, "invalid_cursor"),
        ({"show": "mine"}, "invalid_choice"),
        ({"category": "x"}, "invalid_choice"),
        ({"person": "2"}, "unknown_parameter"),
    ],
)
def test_the_api_refuses_what_it_does_not_know(
    ada: Person, query: dict[str, Any], code: str
) -> None:
    assert code_of(ada.client.get(API, query)) == (400, code)


def test_nobody_has_no_notices() -> None:
    person()

    for path in (API, f"{API}/unread"):
        assert code_of(APIClient().get(path)) == (401, "authentication_required")
    for path in (f"{API}/read", f"{API}/1/read"):
        assert code_of(APIClient().post(path, {})) == (401, "authentication_required")
