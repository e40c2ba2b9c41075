"""Sockets through real web servers: ours, and daphne, which `runserver` uses in development.

Daphne has no way to notice a peer that does not read, so slow readers are tested on ours alone.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from apps.core.management.commands.serve import listen, settle
from apps.core.realtime import publish, tickets
from apps.core.realtime import server as web_server
from apps.core.realtime.connections import key
from apps.core.realtime.server import build_server
from tests.realtime.conftest import Source
from tests.services import Services, free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
COMMANDS = {
    "uvicorn": ["manage.py", "serve", "--port"],
    "daphne": ["-m", "daphne", "config.asgi:application", "-b", "127.0.0.1", "-p"],
}


class WebServer:
    """One web process and the sockets that a test opens to it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.port = free_port()
        self._sockets = ExitStack()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
        process = subprocess.Popen(
            [sys.executable, *COMMANDS[self.kind], str(self.port)], cwd=ROOT, env=environment
        )
        self._wait(process)
        return process

    def restart(self) -> None:
        self.stop()
        self.process = self._start()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"{self.kind} ended at once"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"{self.kind} did not start")

    def open(self, **options: Any) -> ClientConnection:
        """Open a socket as our own page would, unless told otherwise."""
        options.setdefault("origin", Origin(f"http://127.0.0.1:{self.port}"))
        path = options.pop("path", "/ws")
        url = f"ws://127.0.0.1:{self.port}{path}"
        return self._sockets.enter_context(
            connect(url, compression=None, max_size=None, close_timeout=0.2, **options)
        )

    def close_sockets(self) -> None:
        self._sockets.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def any_server(request: pytest.FixtureRequest, services: Services) -> Iterator[WebServer]:
    server = WebServer(request.param)
    yield server
    server.stop()


@pytest.fixture
def server(any_server: WebServer) -> Iterator[WebServer]:
    yield any_server
    any_server.close_sockets()


@pytest.fixture
def own_server(services: Services) -> Iterator[WebServer]:
    """A web process of our kind for one test alone."""
    server = WebServer("uvicorn")
    yield server
    server.close_sockets()
    server.stop()


@pytest.fixture
def tickers(valkey: redis.Redis) -> Source:
    """The one topic that every installation has, published by the test."""
    valkey.set(key("live:source:markets"), "1")
    source = Source("tickers")
    source.start()
    return source


def hear(opened: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(opened.recv(timeout=10))
    return found


def say(opened: ClientConnection, **message: Any) -> None:
    opened.send(orjson.dumps(message).decode())


def close_code(opened: ClientConnection) -> int | None:
    """Return the code that the server closes with, passing over what it says before."""
    with suppress(ConnectionClosed):
        while True:
            opened.recv(timeout=10)
    return opened.close_code


def follow(opened: ClientConnection, source: Source) -> None:
    assert hear(opened)["op"] == "hello"
    say(opened, op="subscribe", topic=source.topic)
    assert hear(opened) == {"op": "subscribed", "topic": source.topic}
    assert hear(opened) == source.snapshot()


def test_pages_and_sockets_come_from_one_port(server: WebServer, tickers: Source) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/no-such-page-at-all")
    answer = connection.getresponse()
    connection.close()
    opened = server.open()
    follow(opened, tickers)
    tickers.add()

    assert answer.status == 404
    assert hear(opened) == tickers.delta(1)


@pytest.mark.parametrize(
    "options",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": None, "additional_headers": {"Cookie": "sessionid=x"}},
        {"path": "/ws?ticket=x"},
        {"path": "/elsewhere"},
    ],
)
def test_a_refused_handshake_is_403(server: WebServer, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidStatus) as caught:
        server.open(**options)

    assert caught.value.response.status_code == 403


# Daphne lets an application close with codes of its own alone.
@pytest.mark.parametrize(
    ("message", "codes"),
    [
        ("x" * 1_000_000, (1009, 4009)),
        (b"\x00\xff junk", (4400,)),
        ("not json", (4400,)),
        ("[]", (4400,)),
    ],
)
def test_junk_closes_with_its_code(
    server: WebServer, message: str | bytes, codes: tuple[int, ...]
) -> None:
    opened = server.open()

    opened.send(message)

    assert close_code(opened) in codes


def test_a_flood_of_messages_is_closed(server: WebServer) -> None:
    opened = server.open()

    with suppress(ConnectionClosed):
        for _ in range(1000):
            say(opened, op="ping")

    # Under daphne the answers may fill the socket's queue first.
    assert close_code(opened) in ({4429} if server.kind == "uvicorn" else {4429, 4008})


def test_a_message_in_pieces_is_one_message(server: WebServer) -> None:
    opened = server.open()
    hear(opened)

    opened.send(['{"op":', '"ping"', "}"])

    assert hear(opened) == {"op": "pong"}


def test_a_ping_of_the_protocol_is_answered(server: WebServer) -> None:
    assert server.open().ping().wait(10)


@pytest.mark.django_db(transaction=True)
def test_cookie_and_ticket_say_who_one_is(server: WebServer, valkey: redis.Redis) -> None:
    person = get_user_model().objects.create(email="anna@example.com")
    browser = Client()
    browser.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    ticket = Subprotocol(f"ticket.{tickets.issue(person)}")

    by_cookie = server.open(additional_headers={"Cookie": cookie})
    by_ticket = server.open(origin=None, subprotocols=[Subprotocol("sum1"), ticket])
    assert hear(by_cookie)["signed_in"] is True
    assert hear(by_ticket)["signed_in"] is True
    again = server.open(origin=None, subprotocols=[Subprotocol("sum1"), ticket])

    assert by_ticket.subprotocol == "sum1"
    assert close_code(again) == 4401
    browser.logout()
    assert close_code(by_cookie) == 4401


def test_many_messages_arrive_once_and_in_order(server: WebServer, tickers: Source) -> None:
    readers = [server.open() for _ in range(5)]
    for opened in readers:
        follow(opened, tickers)

    for _ in range(40):
        tickers.add()

    for opened in readers:
        assert [hear(opened)["seq"] for _ in range(40)] == list(range(1, 41))


def _never_reads(port: int) -> socket.socket:
    """Open a socket and subscribe, with as little room for incoming data as there can be."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", port))
    text = orjson.dumps({"op": "subscribe", "topic": "tickers"})
    masked = bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
    peer.settimeout(10)
    peer.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert peer.recv(16).startswith(b"HTTP/1.1 101")
    peer.sendall(masked)
    return peer


def test_who_never_reads_is_cut_off_and_nobody_else_notices(
    own_server: WebServer, tickers: Source
) -> None:
    good = own_server.open()
    follow(good, tickers)
    stuck = _never_reads(own_server.port)
    padding = "x" * 60_000

    received = 0
    for seq in range(1, 301):
        assert publish.publish("tickers", seq, seq - 1, {"padding": padding}, {})
        received += hear(good)["seq"] == seq
    total = 0
    with stuck, suppress(ConnectionError):
        while part := stuck.recv(65_536):
            total += len(part)

    assert received == 300
    assert 0 < total < 200 * len(padding)
    say(good, op="ping")
    assert hear(good) == {"op": "pong"}


def test_a_stop_says_goodbye_and_waits_for_nobody(own_server: WebServer, tickers: Source) -> None:
    good = own_server.open()
    follow(good, tickers)
    stuck = _never_reads(own_server.port)
    for seq in range(1, 40):
        publish.publish("tickers", seq, seq - 1, {"padding": "x" * 200_000}, {})
        hear(good)

    own_server.process.send_signal(signal.SIGTERM)

    with stuck:
        assert close_code(good) == 1012
        assert own_server.process.wait(15) == 0


def test_a_busy_port_is_a_clear_message(services: Services, free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        ended = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        )  # fmt: skip

    assert ended.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_an_answer_does_not_wait_for_its_head_to_be_acknowledged(
    free_port: Callable[[], int],
) -> None:
    delays_off: list[int] = []

    class Peer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted = transport.get_extra_info("socket")
            delays_off.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    port = free_port()
    server = await asyncio.get_running_loop().create_server(Peer, sock=listen("127.0.0.1", port))
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()

    assert delays_off == [1]


async def test_a_peer_that_is_gone_without_a_word_is_cut_off(free_port: Callable[[], int]) -> None:
    """Its pings are not answered, and what was sent to it last is never read."""
    port = free_port()

    async def talk(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": bytes(20_000_000)})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    server = build_server(talk, host="127.0.0.1", port=port)
    server.config.lifespan = "off"
    server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.1
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    with await asyncio.to_thread(_never_reads, port):
        async with asyncio.timeout(10):
            while server.server_state.connections:
                await asyncio.sleep(0.05)
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000, b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b""),
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
    ],
    ids=["too long", "never whole", "never begun", "whole"],
)
async def test_a_request_whose_head_does_not_end_is_none(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, sent: bytes, answer: bytes
) -> None:
    asked: list[str] = []

    async def greet(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    monkeypatch.setattr(web_server, "HEAD_SECONDS_MAX", 0.2)
    port = free_port()
    server = build_server(greet, host="127.0.0.1", port=port)
    server.config.lifespan = "off"
    server.config.timeout_keep_alive = 1
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)

    async with asyncio.timeout(10):
        assert (await reader.read())[9:12] == answer

    assert asked == (["/"] if answer == b"200" else [])
    writer.close()
    server.should_exit = True
    await serving


class Circle:
    itself: Circle


def test_what_every_request_needs_is_not_collected_again() -> None:
    try:
        settle()
        frozen = gc.get_freeze_count()
        # Django, its models and the views stay; what comes later is collected as ever.
        later = Circle()
        later.itself = later
        gone = weakref.ref(later)
        del later
        gc.collect()
        assert gone() is None
        assert frozen > 50_000
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()
