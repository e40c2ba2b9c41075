"""The page of verification, its API, and the queue of compliance: faces of the same actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.kyc import actions
from apps.accounts.kyc.models import Verification
from apps.accounts.models import User
from tests.accounts.kyc_world import ADA, HOME, NOON, handed_in, known, picture, reviewer
from tests.api.conftest import code_of, person_of
from tests.factories import person, staff

pytestmark = pytest.mark.django_db
API = "/api/v1/kyc"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    return tmp_path


def _page(client: Client) -> str:
    return client.get("/verification").content.decode()


def _send(client: Client, kind: str) -> Any:
    file = SimpleUploadedFile("x.jpg", picture(), content_type="image/jpeg")
    return client.post("/verification/documents", {"kind": kind, "file": file})


def test_a_person_goes_from_nobody_to_the_highest_level_on_the_site(client: Client) -> None:
    ada = person("ada@example.com")
    client.force_login(ada)

    assert "Name, as in your passport" in _page(client)
    assert client.post("/verification/details", ADA).status_code == 302
    assert "That it is you" in _page(client)
    for kind in ("identity_front", "selfie"):
        assert _send(client, kind).status_code == 302
    assert _page(client).count("Uploaded: look at it") == 2
    assert client.post("/verification/submit").status_code == 302
    assert "We are looking at it" in _page(client)
    _approve(ada)
    assert client.post("/verification/details", HOME).status_code == 302
    assert "Proof of where you live" in _page(client)
    _send(client, "proof_of_address")
    client.post("/verification/submit")
    _approve(ada)
    _approve(ada)

    assert User.objects.get(pk=ada.pk).kyc_tier == 3
    assert "highest level" in _page(client)


def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(client: Client) -> None:
    client.force_login(person())

    response = client.post("/verification/details", {**ADA, "birth_date": "2015-01-01"})

    page = response.content.decode()
    assert response.status_code == 422
    assert "You have to be 18 years old." in page
    assert 'value="Ada  Lovelace"' in page
    assert not Verification.objects.exists()


def test_the_page_says_why_it_was_refused(client: Client) -> None:
    ada = known(tier=1)
    client.force_login(ada)
    row = handed_in(ada)
    actions.refuse(actor=reviewer(), verification_id=row.pk, reason="<b>Blurred.</b>", now=NOON)

    page = _page(client)

    assert "Level 2 was not accepted." in page
    assert "&lt;b&gt;Blurred.&lt;/b&gt;" in page


def test_an_incomplete_one_is_not_sent(client: Client) -> None:
    client.force_login(known(tier=1))
    _send(client, "selfie")

    response = client.post("/verification/submit")

    assert response.status_code == 422
    assert "Something is missing" in response.content.decode()


@pytest.mark.parametrize("path", ["", "/details", "/documents", "/submit"])
def test_who_is_not_signed_in_is_asked_to(client: Client, path: str) -> None:
    response = client.post(f"/verification{path}")

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_the_api_goes_the_same_way() -> None:
    ada = person_of("ada@example.com")

    status = ada.client.get(API).json()
    begun = ada.client.post(API, ADA)
    sent = ada.client.post(f"{API}/submit", {})
    again = ada.client.post(f"{API}/submit", {})
    after = ada.client.get(API).json()

    assert status == {
        "tier": 0,
        "expires_at": None,
        "next": {
            "tier": 1,
            "details": ["legal_name", "birth_date", "country"],
            "documents": [],
            "optional_documents": [],
        },
        "verification": None,
    }
    assert (begun.status_code, begun.json()["status"]) == (201, "open")
    assert (sent.status_code, sent.json()["status"]) == (200, "approved")
    assert code_of(again) == (404, "verification_not_found")
    assert (after["tier"], after["next"]["tier"]) == (1, 2)
    assert after["verification"]["documents"] == []


def test_the_api_says_nothing_of_the_first_of_two(folder: Path) -> None:
    ada = known(tier=2)
    row = handed_in(ada)
    actions.approve(actor=reviewer(), verification_id=row.pk, now=NOON)
    site = Client()
    site.force_login(ada)

    assert site.get(API).json()["verification"]["status"] == "waiting"


def test_the_queue_shows_what_waits_to_those_who_decide_and_to_nobody_else() -> None:
    row = handed_in(known("ada@example.com", tier=1))
    handed_in(person("bob@example.com"))
    cleo, other = Client(), Client()
    cleo.force_login(reviewer())
    other.force_login(staff())

    queue = cleo.get("/admin/accounts/verification/").content.decode()
    everything = cleo.get("/admin/accounts/verification/?standing=all").content.decode()

    assert "ada@example.com" in queue
    assert "bob@example.com" not in queue
    assert "bob@example.com" in everything
    for path in ("", f"{row.pk}/change/"):
        assert other.get(f"/admin/accounts/verification/{path}").status_code == 403
    assert other.post(f"/admin/accounts/verification/{row.pk}/change/").status_code == 403
    assert cleo.get("/admin/accounts/verification/x/change/").status_code == 404


def test_compliance_looks_and_decides_on_one_page() -> None:
    ada = known("ada@example.com", tier=2)
    row = handed_in(ada)
    path = f"/admin/accounts/verification/{row.pk}/change/"
    cleo, dora = Client(), Client()
    cleo.force_login(reviewer("cleo@example.com"))
    dora.force_login(reviewer("dora@example.com"))

    page = cleo.get(path).content.decode()
    first = cleo.post(path, {"act": "approve"})
    again = cleo.post(path, {"act": "approve"}, follow=True).content.decode()
    own = cleo.get(path).content.decode()
    second = dora.post(path, {"act": "approve"})

    assert "1 Main Street, London" in page
    assert "This level takes two people" in page
    assert "/verification/documents/" in page
    assert (first.status_code, second.status_code) == (302, 302)
    assert "it takes a second person" in again
    assert "It waits for a second person." in own
    assert User.objects.get(pk=ada.pk).kyc_tier == 3
    assert "approved" in dora.get(path).content.decode()


def test_a_refusal_needs_a_reason() -> None:
    row = handed_in(known(tier=1))
    path = f"/admin/accounts/verification/{row.pk}/change/"
    cleo = Client()
    cleo.force_login(reviewer())

    without = cleo.post(path, {"act": "refuse", "reason": ""}, follow=True).content.decode()
    cleo.post(path, {"act": "refuse", "reason": "Blurred."})

    assert "Say why" in without
    row.refresh_from_db()
    assert (row.status, row.reason) == ("refused", "Blurred.")


def _approve(who: User) -> None:
    row = Verification.objects.get(person=who, status__in=("waiting", "proposed"))
    actions.approve(actor=reviewer(), verification_id=row.pk, now=NOON)
