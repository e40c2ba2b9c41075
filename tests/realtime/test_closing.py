"""Through a real web server: who may no longer be there is cut off, however it came to that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from apps.accounts import actions, freezing, queries
from apps.accounts.keys.actions import create_key
from apps.accounts.models import ApiKey, RefreshToken, User
from apps.core import clock
from apps.core.realtime import tickets
from apps.core.realtime.connections import key
from apps.core.realtime.limits import default_limits
from apps.core.scopes import KeyGrant
from tests.realtime.conftest import Source
from tests.realtime.test_servers import WebServer, close_code, hear, say
from tests.services import Services

LONG_AGO = timedelta(days=1)


@pytest.fixture
def server(services: Services) -> Iterator[WebServer]:
    made = WebServer("uvicorn")
    yield made
    made.close_sockets()
    made.stop()


def _person(name: str) -> User:
    return User.objects.create(email=f"{name}@example.com")


def _by_cookie(server: WebServer, person: User) -> tuple[ClientConnection, Client]:
    browser = Client()
    browser.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    return server.open(additional_headers={"Cookie": cookie}), browser


def _by_ticket(server: WebServer, ticket: str) -> ClientConnection:
    offered = [Subprotocol("sum1"), Subprotocol(f"ticket.{ticket}")]
    return server.open(origin=None, subprotocols=offered)


def _by_app(server: WebServer, person: User) -> tuple[ClientConnection, Any]:
    pair = actions.open_sign_in(actor=person, client="app", address="", now=clock.now())
    sign_in = queries.caller_of_token(token=pair.access).sign_in_id
    return _by_ticket(server, tickets.issue(person, sign_in=str(sign_in))), sign_in


def _by_key(server: WebServer, person: User) -> tuple[ClientConnection, ApiKey]:
    now = clock.now()
    made = create_key(
        actor=person, name="Bot", scopes=["read"], networks=[], expires_at=None, public_key=None,
        proved_at=now, now=now,
    ).key  # fmt: skip
    grant = KeyGrant(made.pk, made.version, frozenset(made.scopes), ())
    return _by_ticket(server, tickets.issue(person, grant=grant)), made


@pytest.mark.django_db(transaction=True)
def test_sockets_end_with_what_they_rest_on(server: WebServer, valkey: redis.Redis) -> None:
    valkey.set(key("live:source:markets"), "1")
    source = Source("tickers")
    source.start()
    # Three seconds at most until it is noticed; the rest of five is for getting there.
    assert default_limits().recheck_seconds <= 3
    stays, _ = _by_cookie(server, _person("stays"))
    leaves, browser = _by_cookie(server, _person("leaves"))
    expires, expiring = _by_cookie(server, _person("expires"))
    frozen_person, banned_person = _person("frozen"), _person("banned")
    frozen, _ = _by_cookie(server, frozen_person)
    frozen_app, _ = _by_app(server, frozen_person)
    banned, _ = _by_cookie(server, banned_person)
    banned_app, _ = _by_app(server, banned_person)
    app, sign_in = _by_app(server, _person("app"))
    old_app, old_sign_in = _by_app(server, _person("old"))
    by_key, api_key = _by_key(server, _person("bot"))
    nobody = server.open()
    ends: dict[str, tuple[ClientConnection, Callable[[], Any]]] = {
        "logout": (leaves, browser.logout),
        "session expiry": (expires, lambda: _expire(expiring)),
        "freeze": (frozen, lambda: freezing.freeze(actor=frozen_person, now=clock.now())),
        "freeze of an app": (frozen_app, lambda: None),
        "ban": (banned, lambda: User.objects.filter(pk=banned_person.pk).update(is_active=False)),
        "ban of an app": (banned_app, lambda: None),
        "logout of an app": (
            app, lambda: actions.end_sign_in(sign_in_id=sign_in, now=clock.now())
        ),
        "token expiry": (
            old_app,
            lambda: RefreshToken.objects.filter(sign_in_id=old_sign_in).update(
                expires_at=clock.now() - LONG_AGO
            ),
        ),
        "key expiry": (
            by_key,
            lambda: ApiKey.objects.filter(pk=api_key.pk).update(expires_at=clock.now() - LONG_AGO),
        ),
    }  # fmt: skip
    for opened in [nobody, stays, *(opened for opened, _ in ends.values())]:
        assert hear(opened)["signed_in"] is (opened is not nobody)
        # Who asks for nothing is sent away for that.
        say(opened, op="subscribe", topic=source.topic)
        assert hear(opened) == {"op": "subscribed", "topic": source.topic}
        assert hear(opened) == source.snapshot()

    for _, end in ends.values():
        end()

    assert {name: close_code(opened) for name, (opened, _) in ends.items()} == dict.fromkeys(
        ends, 4401
    )
    for opened in (stays, nobody):
        say(opened, op="ping")
        assert hear(opened) == {"op": "pong"}


def _expire(browser: Client) -> None:
    mine = Session.objects.filter(session_key=browser.session.session_key)
    mine.update(expire_date=clock.now() - LONG_AGO)
