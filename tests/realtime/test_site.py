"""The web process's front door: no thread for who is slow, too big, or one too many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest

from apps.core.realtime import site
from apps.core.realtime.site import Queue, Site

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Stands in for Django: answers with the body, and the headers it was given."""
    start_response("200 OK", [("X-Seen", ",".join(sorted(environ)))])
    return [environ["wsgi.input"].read()]


class Visitor:
    """One request of a test, and what comes back."""

    def __init__(self, *parts: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.scope: dict[str, Any] = {
            "type": "http", "method": "POST", "path": "/", "query_string": b"",
            "http_version": "1.1", "headers": headers or [], "client": ("127.0.0.1", 1),
        }  # fmt: skip
        self.parts = list(parts)
        self.stays_silent = False
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self.parts:
            body = self.parts.pop(0)
            more = bool(self.parts) or self.stays_silent
            return {"type": "http.request", "body": body, "more_body": more}
        if self.stays_silent:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def visit(self, application: Site) -> None:
        await application(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def test_a_body_in_pieces_arrives_whole() -> None:
    visitor = Visitor(b"one ", b"two")

    await visitor.visit(Site(echo))

    assert (visitor.status, visitor.body) == (200, b"one two")


async def test_a_body_that_is_too_large_is_refused_before_a_thread_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site, "BODY_BYTES_MAX", 10)
    visitor = Visitor(b"123456", b"123456")

    await visitor.visit(Site(echo))

    assert visitor.status == 413
    assert visitor.headers[b"content-type"] == b"application/problem+json"
    assert orjson.loads(visitor.body)["code"] == "body_too_large"


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "BODY_SECONDS_MAX", 0.05)
    visitor = Visitor(b"begins and")
    visitor.stays_silent = True

    await visitor.visit(Site(echo))

    assert visitor.status == 408
    assert orjson.loads(visitor.body)["code"] == "body_too_slow"


async def test_who_leaves_in_the_middle_gets_no_answer() -> None:
    visitor = Visitor()

    await visitor.visit(Site(echo))

    assert visitor.sent == []


async def test_one_request_too_many_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "REQUESTS_MAX", 2)
    gate = threading.Event()

    def wait(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert gate.wait(10)
        return echo(environ, start_response)

    application = Site(wait)
    waiting = [Visitor(b"a"), Visitor(b"b")]
    tasks = [asyncio.create_task(visitor.visit(application)) for visitor in waiting]
    await asyncio.sleep(0.05)
    refused = Visitor(b"c")
    await refused.visit(application)
    gate.set()
    await asyncio.gather(*tasks)
    after = Visitor(b"d")
    await after.visit(application)

    assert refused.status == 503
    assert refused.headers[b"retry-after"] == b"1"
    assert orjson.loads(refused.body)["code"] == "server_busy"
    assert [visitor.status for visitor in (*waiting, after)] == [200, 200, 200]


async def test_a_change_too_many_is_refused_at_once(settings: Any) -> None:
    settings.MATCHING_WAITERS_MAX = 1
    gate = threading.Event()

    def wait(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert gate.wait(10)
        return echo(environ, start_response)

    application = Site(wait)
    # As many as there are threads: twice the waiters.
    changing = [Visitor(b"a"), Visitor(b"b")]
    tasks = [asyncio.create_task(visitor.visit(application)) for visitor in changing]
    await asyncio.sleep(0.05)
    refused = Visitor(b"c")
    await refused.visit(application)
    gate.set()
    await asyncio.gather(*tasks)
    after = Visitor(b"d")
    await after.visit(application)

    assert (refused.status, refused.headers[b"retry-after"]) == (503, b"1")
    assert orjson.loads(refused.body)["code"] == "server_busy"
    assert [visitor.status for visitor in (*changing, after)] == [200, 200, 200]


def admitted(queue: Queue, now: float, times: int) -> int:
    """How many of so many are let in at one moment, none of whom is served yet."""
    before = queue.length
    for _ in range(times):
        queue.length += queue.admits(now)
    return queue.length - before


def test_a_queue_that_does_not_drain_is_kept_short_until_few_must_be_refused() -> None:
    queue = Queue(32)

    assert admitted(queue, 100.0, 20) == 20
    assert admitted(queue, 100.1, 1) == 1
    # Long, and as long as ever: whoever comes now waits for nothing but its length.
    assert admitted(queue, 100.21, 1) == 0
    queue.length = 0
    assert admitted(queue, 100.3, 10) == site.QUEUE_STANDING_MAX

    # In the second after that a fifth is refused, in the next one nobody.
    queue.length = 2
    assert admitted(queue, 101.3, 5) == 4
    queue.length = 0
    assert admitted(queue, 102.4, 5) == 5
    queue.length = 0
    assert admitted(queue, 103.5, 32) == 32


def test_a_queue_that_gets_shorter_refuses_nobody() -> None:
    queue = Queue(32)
    assert admitted(queue, 100.0, 30) == 30

    for tenths in range(1, 14):
        queue.length -= 3
        assert admitted(queue, 100.0 + tenths / 10, 1) == 1

    assert queue.length == 4


def test_after_a_pause_a_burst_is_let_in_again() -> None:
    queue = Queue(32)
    admitted(queue, 100.0, 32)
    assert admitted(queue, 100.3, 5) == 0

    queue.length = 0
    assert admitted(queue, 140.0, 32) == 32


async def test_a_header_that_could_pass_for_another_is_dropped() -> None:
    headers = [(b"x_forwarded_for", b"6.6.6.6"), (b"x-real", b"1")]
    visitor = Visitor(b"", headers=headers)

    await visitor.visit(Site(echo))

    seen = visitor.headers[b"x-seen"].decode().split(",")
    assert "HTTP_X_REAL" in seen
    assert "HTTP_X_FORWARDED_FOR" not in seen


async def test_the_lifespan_is_answered() -> None:
    said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    heard: list[str] = []

    async def receive() -> Any:
        return said.pop(0)

    async def send(message: Any) -> None:
        heard.append(message["type"])

    await Site(echo)({"type": "lifespan"}, receive, send)

    assert heard == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
