"""Answers of Django's on their way to a client: whole, in order, and at no thread's expense."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from apps.core.realtime import pages
from apps.core.realtime.pages import PARTS_WAITING_MAX, Pages, environ_of

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
SCOPE = {
    "type": "http", "method": "POST", "path": "/a/é", "query_string": b"x=%C3%A9",
    "http_version": "1.1", "scheme": "https", "server": ("127.0.0.1", 8000),
    "client": ("192.0.2.1", 4711),
    "headers": [
        (b"host", b"example.com"), (b"content-type", b"application/json"),
        (b"content-length", b"999"), (b"x-twice", b"1"), (b"x-twice", b"2"),
    ],
}  # fmt: skip


class Client:
    """Takes an answer; ``reads`` is the gate before each part."""

    def __init__(self, *, reads: bool = True) -> None:
        self.sent: list[Any] = []
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()

    async def take(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)


class Application:
    """Stands in for Django: yields its pieces and says when it was closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.yielded = 0
        self.closed = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Application:
        start_response("201 Created", [("X-One", "1"), ("X-Two", " 2 ")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.yielded += 1
            yield piece

    def close(self) -> None:
        self.closed.set()


async def _answer(application: Any, client: Client) -> None:
    await Pages(application, 1).answer(dict(SCOPE), b"", client.take)


async def test_a_short_answer_goes_in_one_step() -> None:
    client, application = Client(), Application([b"one ", b"two"])

    await _answer(application, client)

    assert client.sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"x-one", b"1"), (b"x-two", b"2")],
        },
        {"type": "http.response.body", "body": b"one two", "more_body": False},
    ]
    assert application.closed.is_set()


async def test_a_long_answer_follows_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 4)
    client = Client()

    await _answer(Application([b"ab", b"cd", b"e", b"", b"fgh", b"i"]), client)

    assert [(part["body"], part["more_body"]) for part in client.sent[1:]] == [
        (b"abcd", True), (b"efgh", True), (b"i", False),
    ]  # fmt: skip


async def test_an_answer_without_a_body_is_one() -> None:
    client = Client()

    await _answer(Application([]), client)

    assert client.sent[1:] == [{"type": "http.response.body", "body": b"", "more_body": False}]


async def test_a_client_that_does_not_read_gets_no_more_than_is_allowed_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 1)
    client, application = Client(reads=False), Application([b"x"] * 500)

    task = asyncio.create_task(_answer(application, client))
    while application.yielded < PARTS_WAITING_MAX:
        await asyncio.sleep(0.01)
    # Time enough for one that would not wait.
    await asyncio.sleep(0.1)
    waiting = application.yielded
    client.reads.set()
    await task

    # The head is a part, too, and so is the one that the thread holds in its hand.
    assert waiting == PARTS_WAITING_MAX
    assert b"".join(part["body"] for part in client.sent[1:]) == b"x" * 500


async def test_a_client_that_leaves_does_not_keep_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 1)
    client, application = Client(reads=False), Application([b"x"] * 500)

    task = asyncio.create_task(_answer(application, client))
    while application.yielded < PARTS_WAITING_MAX:
        await asyncio.sleep(0.01)
    task.cancel()

    assert await asyncio.to_thread(application.closed.wait, 5)
    assert application.yielded < 500


async def test_a_failure_is_the_servers_to_answer() -> None:
    def fail(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError

    client = Client()

    with pytest.raises(LookupError):
        await _answer(fail, client)
    assert client.sent == []


def test_a_request_is_described_as_wsgi_has_it() -> None:
    environ = environ_of(dict(SCOPE), b"body")

    assert {name: value for name, value in environ.items() if not name.startswith("wsgi.")} == {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/a/Ã©",
        "QUERY_STRING": "x=%C3%A9", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711",
        "HTTP_HOST": "example.com", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "4",
        "HTTP_X_TWICE": "1,2",
    }  # fmt: skip
    assert (environ["wsgi.url_scheme"], environ["wsgi.input"].read()) == ("https", b"body")
