"""Documents from a host of their own: no cookie goes there, and a pass is good for a minute."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.accounts.kyc.models import Document
from apps.accounts.kyc.presentation import link_to
from apps.accounts.models import User
from apps.core import clock
from tests.accounts.kyc_world import handed_in, known, reviewer

pytestmark = pytest.mark.django_db
HOST = "papers.testserver"


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, settings: Any) -> None:
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    settings.KYC_HOST = HOST
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, HOST]


@pytest.fixture
def ada() -> User:
    return known(tier=1)


@pytest.fixture
def document(ada: User) -> Document:
    handed_in(ada)
    return Document.objects.get(kind="selfie")


def _passed(viewer: User, document: Document) -> str:
    """Return the address that the site sends a viewer on to."""
    site = Client()
    site.force_login(viewer)
    sent = site.get(link_to(document, viewer=viewer))
    assert sent.status_code == 302
    assert sent["Cache-Control"] == "no-store"
    location: str = sent["Location"]
    assert location.startswith(f"http://{HOST}/documents/")
    return location.removeprefix(f"http://{HOST}")


def test_the_site_lets_in_and_the_host_shows(ada: User, document: Document) -> None:
    path = _passed(ada, document)

    shown = Client().get(path, headers={"Host": HOST})

    assert shown.status_code == 200
    assert shown.content.startswith(b"\xff\xd8")
    assert shown.cookies == {}
    assert shown["Content-Disposition"] == 'attachment; filename="selfie.jpg"'
    assert shown["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert shown["Cache-Control"] == "no-store"
    # At the site the same address is nothing.
    assert Client().get(path).status_code == 404


def test_a_pass_ends_after_a_minute_and_opens_one_document(ada: User, document: Document) -> None:
    then = clock.now()
    with time_machine.travel(then, tick=False):
        path = _passed(ada, document)
    other = Document.objects.get(kind="identity_front")
    asked = [
        path + "x",
        path.replace(str(document.pk), str(other.pk)),
        "/documents/",
        "/documents/x",
        f"/documents/{document.pk}",
        link_to(document, viewer=ada),
        "/",
        "/security",
        "/accounts/login/",
        "/api/v1/me",
        "/static/css/base.css",
    ]

    with time_machine.travel(then, tick=False):
        for each in asked:
            assert Client().get(each, headers={"Host": HOST}).status_code == 404, each
        assert Client().post(path, headers={"Host": HOST}).status_code == 404
    with time_machine.travel(then + timedelta(seconds=62), tick=False):
        assert Client().get(path, headers={"Host": HOST}).status_code == 404


def test_who_lost_the_right_meanwhile_sees_nothing(ada: User, document: Document) -> None:
    cleo = reviewer()
    path, own = _passed(cleo, document), _passed(ada, document)

    cleo.user_permissions.clear()
    User.objects.filter(pk=ada.pk).update(is_active=False)

    for each in (path, own):
        assert Client().get(each, headers={"Host": HOST}).status_code == 404
    (view,) = document.verification.events.filter(what="viewed")
    assert view.actor == cleo
