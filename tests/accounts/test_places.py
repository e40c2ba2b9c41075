"""Where a person is signed in, who tried, and how it all ends: revoking, passwords, freezing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions as people
from apps.accounts import letters, sessions
from apps.accounts.devices import name_of
from apps.accounts.models import SignIn, SignInRecord, User
from apps.core import clock, outbox
from apps.core.errors import NotFound
from apps.core.models import OutboxEvent
from apps.matching.gateway import Gateway
from apps.trades.risk import actions as risk
from tests.api.conftest import code_of
from tests.factories import PASSWORD, listed, person, trader

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
NEW_PASSWORD = "other plain words of mine"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ada() -> User:
    return person("ada@example.com")


def _log_in(agent: str = FIREFOX, address: str = "192.0.2.1") -> Client:
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    response = client.post(LOGIN, {"login": "ada@example.com", "password": PASSWORD})
    assert response.status_code == 302, response.content
    return client


def _app(ada: User) -> tuple[APIClient, people.TokenPair]:
    pair = people.open_sign_in(
        actor=ada, client="sum1-ios/1.0", address="198.51.100.7", now=clock.now()
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    return client, pair


def _told(kind: str) -> list[dict[str, Any]]:
    events = OutboxEvent.objects.filter(topic="notice", data__kind=kind).order_by("id")
    return [event.data["data"] for event in events]


def _is_in(client: Client) -> bool:
    return client.get("/security").status_code == 200


def test_site_and_app_are_in_one_list(ada: User) -> None:
    here = _log_in()
    _app(ada)

    places = sessions.places_of(
        viewer=ada, now=clock.now(), session_key=here.session.session_key or ""
    )

    assert [(place.way, place.is_this, place.address) for place in places] == [
        ("site", True, "192.0.2.1"), ("api", False, "198.51.100.7"),
    ]  # fmt: skip
    page = here.get("/security").content.decode()
    assert "Firefox on Linux" in page
    assert "sum1-ios/1.0" in page
    assert "This browser" in page


def test_a_place_is_ended_from_another(ada: User) -> None:
    here, there = _log_in(), _log_in()
    app, _ = _app(ada)
    for place in sessions.places_of(viewer=ada, now=clock.now()):
        if place.id != sessions.sign_in_of_session(session_key=here.session.session_key or ""):
            here.post(f"/security/places/{place.id}/end")

    assert _is_in(here)
    assert not _is_in(there)
    assert code_of(app.get("/api/v1/me")) == (401, "token_invalid")


def test_nobody_ends_the_sign_in_of_another(ada: User) -> None:
    bob = person("bob@example.com")
    app, _ = _app(ada)
    (place,) = sessions.places_of(viewer=ada, now=clock.now())

    with pytest.raises(NotFound):
        sessions.end_place(actor=bob, place_id=place.id, now=clock.now())

    assert len(sessions.places_of(viewer=ada, now=clock.now())) == 1
    assert sessions.places_of(viewer=bob, now=clock.now()) == []


def test_everywhere_else_is_everywhere_else(ada: User) -> None:
    here, there, unlisted = _log_in(), _log_in(), Client()
    unlisted.force_login(ada)
    app, pair = _app(ada)

    here.post("/security/places/end-others")

    assert _is_in(here)
    assert not _is_in(there)
    assert not _is_in(unlisted)
    assert code_of(app.get("/api/v1/me")) == (401, "token_invalid")
    (place,) = sessions.places_of(
        viewer=ada, now=clock.now(), session_key=here.session.session_key or ""
    )
    assert place.is_this


def test_logging_out_leaves_the_list(ada: User) -> None:
    here = _log_in()

    here.post("/accounts/logout/")

    assert sessions.places_of(viewer=ada, now=clock.now()) == []
    assert SignIn.objects.get().end_reason == "logout"


def test_every_try_is_in_the_history(ada: User) -> None:
    Client().post(LOGIN, {"login": "ada@example.com", "password": "wrong"})
    APIClient().post("/api/v1/auth/token", {"email": "ada@example.com", "password": "wrong"})
    APIClient().post("/api/v1/auth/token", {"email": "ada@example.com", "password": PASSWORD})

    found = [(row.outcome, row.way) for row in sessions.history_of(viewer=ada)]

    assert found == [("opened", "api"), ("wrong_password", "api"), ("wrong_password", "site")]


def test_a_new_device_or_a_far_address_is_told(ada: User) -> None:
    _log_in()
    assert _told("sign_in_new_device") == []

    _log_in(address="192.0.77.9")
    assert _told("sign_in_new_device") == []
    _log_in(address="203.0.113.9")
    _log_in(agent="curl/8")

    assert _told("sign_in_new_device") == [
        {"client": FIREFOX, "address": "203.0.113.9"},
        {"client": "curl/8", "address": "192.0.2.1"},
    ]


def test_what_is_old_is_forgotten(ada: User) -> None:
    _log_in()
    Session.objects.all().delete()
    later = clock.now() + timedelta(days=91)

    assert sessions.forget_old(now=later) == 2
    assert (SignIn.objects.count(), SignInRecord.objects.count()) == (0, 0)


def test_a_new_password_ends_every_other_sign_in(ada: User) -> None:
    here, there = _log_in(), _log_in()
    app, _ = _app(ada)

    response = here.post("/security/password", {"password": NEW_PASSWORD})

    assert response["Location"] == "/security"
    assert _is_in(here)
    assert not _is_in(there)
    assert code_of(app.get("/api/v1/me")) == (401, "token_invalid")
    ada.refresh_from_db()
    assert ada.check_password(NEW_PASSWORD)
    assert ada.security_changed_at is not None
    assert _told("password_changed") == [{}]


def test_a_new_password_takes_a_fresh_proof_and_our_rules(ada: User) -> None:
    here = _log_in()

    short = here.post("/security/password", {"password": "fourteen chars"})
    assert "too short" in short.content.decode()
    with time_machine.travel(clock.now() + timedelta(minutes=20)):
        asked = here.post("/security/password", {"password": NEW_PASSWORD})

    assert asked["Location"].startswith("/security/confirm")
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_allauths_own_pages_lead_to_ours(ada: User) -> None:
    here = _log_in()

    for path, target in (
        ("password/change/", "/security/password"),
        ("password/set/", "/accounts/password/reset/"),
        ("reauthenticate/", "/security/confirm"),
        ("email/", "/security"),
    ):
        assert here.get(f"/accounts/{path}")["Location"] == target
        assert here.post(f"/accounts/{path}")["Location"] == target


def test_freezing_signs_out_everywhere_and_closes_every_way_in(ada: User) -> None:
    here, there = _log_in(), _log_in()
    app, pair = _app(ada)

    response = here.post("/security/freeze")

    assert response["Location"] == "/security/frozen"
    assert not _is_in(here)
    assert not _is_in(there)
    assert code_of(app.get("/api/v1/me")) == (401, "token_invalid")
    with_password = {"email": "ada@example.com", "password": PASSWORD}
    assert code_of(APIClient().post("/api/v1/auth/token", with_password)) == (
        403, "account_frozen",
    )  # fmt: skip
    refresh = APIClient().post("/api/v1/auth/token/refresh", {"refresh": pair.refresh})
    assert code_of(refresh) == (401, "token_invalid")
    again = Client()
    answer = again.post(LOGIN, {"login": "ada@example.com", "password": PASSWORD})
    assert answer["Location"] == "/security/frozen"
    assert not _is_in(again)


def test_a_letter_opens_a_frozen_account_once(ada: User) -> None:
    here = _log_in()
    here.post("/security/freeze")
    for _ in range(3):
        Client().post(LOGIN, {"login": "ada@example.com", "password": PASSWORD})
    assert letters.send_letters(now=clock.now()) == 1
    found = re.search(r"http://testserver(/security/unfreeze/\S+)", str(mail.outbox[0].body))
    assert found is not None
    link = found[1]

    wrong = Client().post(link, {"password": "wrong"})
    assert "is wrong" in wrong.content.decode()
    right = Client().post(link, {"password": PASSWORD})

    assert "open again" in right.content.decode()
    assert _is_in(_log_in())
    assert Client().get(link).status_code == 404
    assert [len(_told(kind)) for kind in ("account_frozen", "account_unfrozen")] == [1, 1]


@pytest.mark.parametrize("token", ["x", "eyJ9.x.y", "..", "a:b:c"])
def test_what_was_not_sent_opens_nothing(ada: User, token: str) -> None:
    assert Client().get(f"/security/unfreeze/{token}").status_code == 404


def test_a_link_of_an_hour_ago_is_too_old(ada: User) -> None:
    here = _log_in()
    here.post("/security/freeze")
    from apps.accounts import freezing

    token = freezing.token_for(ada)
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=2)):
        assert Client().get(f"/security/unfreeze/{token}").status_code == 404


def test_freezing_cancels_orders_and_stops_trading(engine_gateway: Gateway) -> None:
    listed()
    ada = trader("ada@example.com", USDT="1000")
    order = ada.buy("0.001", "60000")
    here = _log_in()

    here.post("/security/freeze")
    outbox.deliver(now=clock.now())
    risk.apply_account(account_id=ada.account.id, now=clock.now())

    order.refresh_from_db()
    assert order.status == "cancelled"
    assert ada.has("USDT")[1] == 0
    with pytest.raises(Exception, match="blocked"):
        ada.buy("0.001", "60000")


def test_unfreezing_lets_trade_again(engine_gateway: Gateway) -> None:
    from apps.accounts import freezing

    listed()
    ada = trader("ada@example.com", USDT="1000")
    freezing.freeze(actor=ada.user, now=clock.now())
    outbox.deliver(now=clock.now())
    risk.apply_account(account_id=ada.account.id, now=clock.now())

    token = freezing.token_for(ada.user)
    freezing.unfreeze(token=token, password=PASSWORD, given=None, now=clock.now())
    outbox.deliver(now=clock.now())
    risk.apply_account(account_id=ada.account.id, now=clock.now())

    assert ada.buy("0.001", "60000").status == "open"


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like "
            "Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Chrome on Mac",
        ),
        ("sum1-ios/1.0", "sum1-ios/1.0"),
        ("", "An unknown app"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_clients_are_named(client: str, name: str) -> None:
    assert name_of(client) == name
