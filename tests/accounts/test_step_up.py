"""Step-up: what counts as a fresh proof of who one is, on the site and at the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, RequestFactory
from rest_framework.request import Request

from apps.accounts import actions, queries, step_up
from apps.accounts.models import SignIn, User
from apps.core import clock
from apps.core.errors import NotAllowed
from tests.factories import PASSWORD, person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _api_request(auth: object) -> Request:
    request = Request(RequestFactory().get("/"))
    request.auth = auth
    return request


def _code(ada: User, proved_at: datetime | None, now: datetime = NOON) -> str:
    with pytest.raises(NotAllowed) as refusal:
        step_up.require_fresh(person=ada, proved_at=proved_at, now=now)
    return refusal.value.code


def test_a_proof_is_good_for_fifteen_minutes() -> None:
    ada = person()

    step_up.require_fresh(person=ada, proved_at=NOON, now=NOON + timedelta(minutes=15))

    assert _code(ada, NOON, NOON + timedelta(minutes=15, seconds=1)) == "step_up_required"
    assert _code(ada, NOON - timedelta(minutes=20)) == "step_up_required"
    assert _code(ada, None) == "step_up_required"


def test_in_a_frozen_account_no_proof_is_enough() -> None:
    ada = person()
    User.objects.filter(pk=ada.pk).update(frozen_at=NOON)

    assert _code(ada, NOON) == "account_frozen"
    assert queries.is_frozen(person_id=ada.pk)


def test_a_sign_in_of_the_api_is_its_proof() -> None:
    pair = actions.open_sign_in(actor=person(), client="app", address="192.0.2.1", now=NOON)
    sign_in_id = queries.caller_of_token(token=pair.access).sign_in_id

    assert step_up.proved_at(_api_request(sign_in_id)) == NOON
    SignIn.objects.update(proved_at=None)
    assert step_up.proved_at(_api_request(sign_in_id)) is None


def test_what_is_no_sign_in_proves_nothing() -> None:
    assert step_up.proved_at(_api_request("a key")) is None


def test_a_session_of_the_site_is_proved_by_logging_in(client: Client) -> None:
    person("ada@example.com")
    request = RequestFactory().get("/")
    before = clock.now()

    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})

    request.session = SessionStore(client.session.session_key)
    proved = step_up.proved_at(request)
    assert proved is not None
    assert before <= proved <= clock.now()
    request.session = SessionStore()
    assert step_up.proved_at(request) is None


def test_what_others_ask_of_a_person_starts_at_nothing() -> None:
    ada = person()

    assert queries.security_changed_at(person_id=ada.pk) is None
    assert queries.tier_of(person_id=ada.pk) == 0
    assert not queries.is_frozen(person_id=ada.pk)
