"""Sockets of the tests: in process, talking to the real hub over the worker's own Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from apps.core.realtime import calls, publish, tickets, topics
from apps.core.realtime.connections import client
from apps.core.realtime.consumer import LiveConsumer
from apps.core.realtime.hub import close_hub
from apps.core.realtime.limits import default_limits

HOST = b"testserver"
ORIGIN = (b"origin", b"http://testserver")


class Peer(WebsocketCommunicator):
    """One socket of a test, with the few sentences that tests say."""

    async def open(self) -> dict[str, Any]:
        connected, _ = await self.connect(timeout=5)
        assert connected
        hello = await self.hear()
        assert hello["op"] == "hello"
        return hello

    async def say(self, **message: Any) -> None:
        await self.send_to(text_data=orjson.dumps(message).decode())

    async def hear(self, timeout: float = 5) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(await self.receive_from(timeout))
        return found

    async def hear_close(self, timeout: float = 5) -> int:
        """Return the code that the socket is closed with, passing over frames before it."""
        while True:
            output = await self.receive_output(timeout)
            if output["type"] == "websocket.close":
                code: int = output["code"]
                return code

    async def hears_nothing(self) -> bool:
        """A ping is answered with a pong, and nothing was said before it."""
        await self.say(op="ping")
        return await self.hear() == {"op": "pong"}

    async def subscribe(self, topic: str, **more: Any) -> None:
        await self.say(op="subscribe", topic=topic, **more)
        assert await self.hear() == {"op": "subscribed", "topic": topic}


@pytest.fixture
async def peer(valkey: redis.Redis) -> AsyncIterator[Callable[..., Peer]]:
    """Makes sockets; the hub behind them ends with the test."""
    made: list[Peer] = []

    def make(
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        cookie: str = "",
        path: str = "/ws",
        subprotocols: list[str] | None = None,
        **limits: Any,
    ) -> Peer:
        given = [(b"host", HOST), *([ORIGIN] if headers is None else headers)]
        if cookie:
            given.append((b"cookie", cookie.encode()))
        application = LiveConsumer.as_asgi(limits=replace(default_limits(), **limits))
        communicator = Peer(application, path, headers=given, subprotocols=subprotocols)
        communicator.scope["client"] = ("10.0.0.1", 1234)
        made.append(communicator)
        return communicator

    yield make
    for communicator in made:
        if communicator.future is not None and not communicator.future.done():
            await communicator.disconnect(timeout=5)
    await close_hub()


@pytest.fixture
def topic_kind() -> Iterator[Callable[..., None]]:
    """Offers kinds of topics for the time of a test."""
    offered: list[str] = []

    def offer(pattern: str, **options: Any) -> None:
        topics.register(
            topics.TopicKind(pattern, options.pop("authorise", topics.anyone), **options)
        )
        offered.append(pattern)

    yield offer
    for pattern in offered:
        topics.unregister(pattern)


@pytest.fixture
def method() -> Iterator[Callable[[str, calls.Call], None]]:
    """Offers methods for the time of a test."""
    offered: list[str] = []

    def offer(name: str, fn: calls.Call) -> None:
        calls.register(name, fn)
        offered.append(name)

    yield offer
    for name in offered:
        calls.unregister(name)


class Source:
    """A publisher of one topic whose state is a set of numbers; a delta adds one of them."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.seq = 0
        self.state: list[int] = []

    def start(self) -> None:
        assert publish.publish_all(
            [publish.Message(self.topic, self.seq, None, {"all": list(self.state)})]
        )

    def add(self, *, lost: bool = False) -> int:
        """Add the next number. ``lost``: the state is stored and the message goes nowhere."""
        prev, self.seq = self.seq, self.seq + 1
        self.state.append(self.seq)
        whole = {"all": list(self.state)}
        if lost:
            text = publish.snapshot_text(self.topic, self.seq, whole)
            client().set(publish.snapshot_key(self.topic), text)
        else:
            assert publish.publish(self.topic, self.seq, prev, {"add": self.seq}, whole)
        return self.seq

    def snapshot(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "type": "snapshot",
            "seq": self.seq,
            "data": {"all": list(self.state)},
        }

    def delta(self, seq: int) -> dict[str, Any]:
        return {
            "topic": self.topic, "type": "delta", "seq": seq, "prev": seq - 1, "data": {"add": seq},
        }  # fmt: skip


@pytest.fixture
def source(valkey: redis.Redis, topic_kind: Callable[..., None]) -> Source:
    """A public topic with a stored snapshot, and who publishes it."""
    topic_kind("test.{name}", public=True)
    made = Source("test.numbers")
    made.start()
    return made


PASSWORD = "a long password of a test"


@pytest.fixture
def person(transactional_db: None) -> Any:
    """Somebody who can sign in."""
    person = get_user_model()(email="anna@example.com")
    person.set_password(PASSWORD)
    person.save()
    return person


@pytest.fixture
def cookie_of() -> Callable[[Any], Awaitable[str]]:
    """Signs a person in on the site and gives the cookie."""

    def sign_in(person: Any) -> str:
        browser = Client()
        browser.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        return f"{settings.SESSION_COOKIE_NAME}={browser.cookies['sessionid'].value}"

    return database_sync_to_async(sign_in)


@pytest.fixture
def ticket_of(valkey: redis.Redis) -> Callable[[Any], Awaitable[str]]:
    return database_sync_to_async(tickets.issue)


async def settle() -> None:
    """Let everything run that can run without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)
