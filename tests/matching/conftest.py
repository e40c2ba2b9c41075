"""A real host in a thread, a gateway to it, and commands to send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connection

from apps.matching import gateway, host, projections
from apps.matching.inprocess import InProcessGateway
from apps.matching.stream import StreamGateway
from tests.matching.tape import TapeProjection


class RunningHost:
    """``host.run`` in a thread; what ends it is kept."""

    def __init__(self) -> None:
        self.stop_event = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            host.run(self.stop_event)
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self.stop_event.set()
        self.ended()

    def ended(self) -> BaseException | None:
        """Wait until it has ended; return what ended it."""
        self._thread.join(15)
        assert not self._thread.is_alive()
        return self.error


@pytest.fixture
def start_host(
    transactional_db: None, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], RunningHost]]:
    """Starts hosts; those that still run are stopped after the test."""
    monkeypatch.setattr(host, "_settle_memory", lambda: None)
    started: list[RunningHost] = []

    def start() -> RunningHost:
        started.append(RunningHost())
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def stream_gateway(settings: Any, transactional_db: None) -> Iterator[StreamGateway]:
    """The gateway through Valkey; it waits for a host to lead."""
    settings.MATCHING_GATEWAY = "stream"
    gateway.forget()
    made = gateway.get_gateway()
    assert isinstance(made, StreamGateway)
    yield made
    gateway.forget()


@pytest.fixture
def unprojected(db: None) -> InProcessGateway:
    """Journals in this process and leaves projecting to the test."""
    return InProcessGateway(projects=False)


@pytest.fixture
def only_tape(db: None, monkeypatch: pytest.MonkeyPatch) -> TapeProjection:
    """One small projection in place of those of the apps."""
    tape = TapeProjection()
    monkeypatch.setattr(projections, "_registered", {tape.name: tape})
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE tape (seq bigint PRIMARY KEY, events int NOT NULL)")
    return tape
