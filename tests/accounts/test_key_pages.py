"""Pages of API keys: made, shown once, changed, revoked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from apps.accounts.keys.models import ApiKey
from apps.core import clock
from tests.accounts.key_client import Signer, key_for
from tests.api.conftest import Person, ada, bob

pytestmark = pytest.mark.django_db
__all__ = ["ada", "bob"]
PAGE = "/security/keys"


@pytest.fixture
def site(ada: Person) -> Client:
    client = Client()
    client.force_login(ada.user)
    session = client.session
    session["proved_at"] = clock.iso(clock.now())
    session.save()
    return client


def test_a_key_is_made_on_the_site_and_its_secret_is_shown_once(site: Client) -> None:
    answer = site.post(
        f"{PAGE}/new",
        {"name": "Robot", "scopes": ["read", "trade"], "networks": "127.0.0.1\n::1", "days": "30"},
    )

    key = ApiKey.objects.get()
    secret = re.search(r"data-secret>([^<]+)<", answer.content.decode()).group(1)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert (key.scopes, key.networks) == (["read", "trade"], ["127.0.0.1/32", "::1/128"])
    assert key.expires_at == key.created_at + timedelta(days=30)
    assert Signer(key, secret).send("GET", "/api/v1/me").status_code == 200
    page = site.get(PAGE).content.decode()
    assert secret not in page
    assert "May read, trade" in page
    assert "9 of 10 can still be made" in page


def test_row_37_the_pages_take_a_fresh_proof(site: Client, ada: Person) -> None:
    key = key_for(ada.user).key
    session = site.session
    session["proved_at"] = clock.iso(clock.now() - timedelta(minutes=20))
    session.save()

    answers = [
        site.get(f"{PAGE}/new"),
        site.post(f"{PAGE}/new", {"name": "Robot", "scopes": ["read"]}),
        site.post(f"{PAGE}/{key.pk}", {"name": "Other", "scopes": ["read"]}),
    ]

    # Either refused, or sent to prove it first.
    assert all(answer.status_code in (302, 403) for answer in answers)
    assert ApiKey.objects.get().name == "Robot"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scopes": ["withdraw"]}, "needs a list of the addresses"),
        ({"networks": "everywhere"}, "is no address or network"),
        ({"public_key": "nonsense"}, "Give the public key of an Ed25519 pair"),
        ({"name": ""}, "This field is required"),
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["admin"]}, "Select a valid choice"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_at_its_field(
    site: Client, given: dict[str, object], words: str
) -> None:
    answer = site.post(f"{PAGE}/new", {"name": "Robot", "scopes": ["read"], **given})

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_is_changed_and_revoked_on_the_site(site: Client, ada: Person) -> None:
    robot = key_for(ada.user, "read", "trade")
    own = f"{PAGE}/{robot.key.pk}"
    assert 'value="trade"' in site.get(own).content.decode()

    changed = site.post(own, {"name": "Reader", "scopes": ["read"], "networks": ""})

    assert (changed.status_code, changed["Location"]) == (302, PAGE)
    assert ApiKey.objects.get().scopes == ["read"]
    revoked = site.post(f"{own}/revoke", follow=True)
    assert "Reader is revoked" in revoked.content.decode()
    assert ApiKey.objects.get().revoked_at is not None
    assert site.get(own).status_code == 404


def test_a_strangers_key_is_none_on_the_site(site: Client, bob: Person) -> None:
    theirs = f"{PAGE}/{key_for(bob.user).key.pk}"

    assert site.get(theirs).status_code == 404
    assert site.post(theirs, {"name": "Mine", "scopes": ["read"]}).status_code == 404
    assert site.post(f"{theirs}/revoke").status_code == 404
    assert ApiKey.objects.get().revoked_at is None
    assert "Robot" not in site.get(PAGE).content.decode()


def test_who_is_not_signed_in_is_asked_to(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
