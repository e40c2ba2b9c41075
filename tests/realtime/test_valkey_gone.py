"""Without Valkey readers are told so, and everything is right again when it is back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core.realtime import feed, publish
from apps.local.valkey import FORGET, Valkey
from tests.realtime.conftest import Peer, Source


@pytest.fixture
def own_valkey(settings: Any, server_folder: Any, free_port: Callable[[], int]) -> Iterator[Valkey]:
    """A Valkey that the test may kill."""
    server = Valkey(server_folder, free_port(), options=FORGET)
    with server:
        settings.REDIS_URL = server.url()
        yield server


async def test_readers_are_told_and_get_a_snapshot_when_it_is_back(
    own_valkey: Valkey, peer: Callable[..., Peer], source: Source
) -> None:
    socket, late = peer(), peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    assert await socket.hear() == source.snapshot()

    own_valkey.kill()
    assert await socket.hear() == {"topic": "test.numbers", "type": "stale"}
    await late.open()
    await late.subscribe("test.numbers")
    assert await late.hear() == {"topic": "test.numbers", "type": "stale"}

    own_valkey.start()
    source.state.append(99)
    _start_when_possible(source)
    for each in (socket, late):
        while (message := await each.hear())["type"] == "stale":
            pass
        assert message == source.snapshot()
    source.add()
    assert await socket.hear() == source.delta(1)


def _start_when_possible(source: Source) -> None:
    for _ in range(100):
        try:
            source.start()
        except AssertionError:
            continue
        return


async def test_a_valkey_that_stands_still_counts_as_gone(
    own_valkey: Valkey, peer: Callable[..., Peer], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PING_SECONDS", 0.1)
    monkeypatch.setattr(feed, "SILENCE_SECONDS", 0.5)
    socket = peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    assert await socket.hear() == source.snapshot()
    assert own_valkey.pid is not None

    os.kill(own_valkey.pid, signal.SIGSTOP)
    try:
        assert await socket.hear() == {"topic": "test.numbers", "type": "stale"}
    finally:
        os.kill(own_valkey.pid, signal.SIGCONT)

    while (message := await socket.hear())["type"] == "stale":
        pass
    assert message == source.snapshot()


def test_publishing_without_valkey_says_so_at_once_and_raises_nothing(own_valkey: Valkey) -> None:
    assert publish.publish("test.numbers", 1, 0, {})
    own_valkey.kill()

    assert not publish.publish("test.numbers", 2, 1, {})
    assert not publish.publish("test.numbers", 3, 2, {})


@pytest.fixture(autouse=True)
def _closed_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Valkey did in one test says nothing about the next."""
    monkeypatch.setattr(publish, "_breaker", publish._Breaker())
