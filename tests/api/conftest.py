"""Clients of the API: nobody, one person, another person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts import actions
from apps.accounts.models import User
from apps.core import clock
from apps.markets.actions import list_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.matching.gateway import Gateway

PASSWORD = "a-long-enough-password"
# An order that rests in an empty book.
LIMIT = {
    "market": "BTC-USDT",
    "side": "buy",
    "type": "limit",
    "quantity": "0.01",
    "price": "60000.00",
}


@dataclass
class Person:
    """A person with a client that sends their access token."""

    user: User
    client: APIClient
    tokens: actions.TokenPair


def person_of(email: str) -> Person:
    user = actions.register_person(
        email=email, password=PASSWORD, display_name=email.split("@")[0].title(), now=clock.now()
    )
    tokens = actions.open_sign_in(actor=user, client="tests", address="127.0.0.1", now=clock.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")
    return Person(user, client, tokens)


@pytest.fixture
def anybody() -> APIClient:
    return APIClient()


def code_of(response: Any) -> tuple[int, str]:
    """Return status and code of a refusal, having checked that it is a whole problem."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body = response.json()
    assert body["status"] == response.status_code
    assert set(body) >= {"type", "title", "status", "code", "detail"}
    assert "Traceback" not in response.content.decode()
    return response.status_code, body["code"]


@pytest.fixture
def ada(engine_gateway: Gateway) -> Person:
    return person_of("ada@example.com")


@pytest.fixture
def bob(engine_gateway: Gateway) -> Person:
    return person_of("bob@example.com")


@pytest.fixture
def without_valkey(settings: Any, free_port: Callable[[], int]) -> None:
    """Point everything that asks Valkey at a port where nobody listens."""
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": settings.REDIS_URL}}


@pytest.fixture
def markets(engine_gateway: Gateway) -> None:
    """BTC-USDT and ETH-USDT, as a fresh installation lists them."""
    for spec in STANDARD_MARKETS[:2]:
        list_instrument(actor=None, spec=spec)


@pytest.fixture
def market_at_60000(markets: None, ada: Person, bob: Person) -> None:
    """One trade, so that there is a last price."""
    for person, side in ((bob, "sell"), (ada, "buy")):
        order = {**LIMIT, "side": side, "quantity": "0.001"}
        assert person.client.post("/api/v1/orders", order).status_code == 201
