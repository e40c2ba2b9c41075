"""Hostile rows 48 and 49: addresses that must never be asked, watched by a canary at home."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.core import fetch
from apps.core.errors import Refused

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


class Canary:
    """A server on a port of this machine that counts who knocks, and answers with a script."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.answer: Any = lambda connection: connection.sendall(OK)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(4096))
                try:
                    self.answer(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """It listens where http is taken to be, so that only the check of addresses protects it."""
    bird = Canary()
    monkeypatch.setattr(fetch, "PORTS", {"http": bird.port, "https": bird.port})
    yield bird
    bird.close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> Canary:
    """The canary as if it were on the public network: 127.0.0.1 alone, and nothing beside it."""
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(
        fetch, "_resolve", lambda host, port: ["127.0.0.1"] if host == "good.example" else [host]
    )
    return canary


def refused(url: str) -> str:
    with pytest.raises(Refused) as caught:
        fetch.fetch(url)
    assert caught.value.code == "url_not_allowed"
    return caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ],
)
def test_row_48_addresses_at_home_are_never_asked(canary: Canary, url: str) -> None:
    refused(url)

    assert canary.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "ftp://good.example/",
        "javascript:alert(1)",
        "//good.example/",
        "good.example",
        "",
        "http://",
        "http:///x",
        "http://user:secret@good.example/",
        "http://good.example@127.0.0.1/",
        "http://good.example:22/",
        "http://good.example:99999/",
        "http://good.example/\r\nHost: other",
        "http://good.example/ x",
        "http://gööd.example/",
        "http://[::1",
        "http://good.example/" + "x" * 2_000,
    ],
)
def test_row_48_what_is_no_plain_address_is_refused(public: Canary, url: str) -> None:
    refused(url)

    assert public.requests == []


def test_row_49_a_name_with_one_address_at_home_is_refused(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_resolve", lambda host, port: ["93.184.216.34", "127.0.0.1"])

    refused("http://rebinds.example/")

    assert canary.requests == []


def test_row_49_the_address_that_was_checked_is_the_one_that_is_asked(
    public: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    monkeypatch.setattr(fetch, "_resolve", lambda host, port: next(answers))
    asked: list[Any] = []
    connect = socket.create_connection

    def watch(address: Any, *rest: Any) -> socket.socket:
        asked.append(address[0])
        return connect(address, *rest)

    monkeypatch.setattr(socket, "create_connection", watch)

    fetched = fetch.fetch("http://rebinds.example/a?b=c")

    assert asked == ["127.0.0.1"]
    assert (fetched.status, fetched.content_type, fetched.body) == (200, "text/html", b"hello")
    assert public.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: rebinds.example")


@pytest.mark.parametrize("target", ["http://127.0.0.2/", "http://[::1]/", "file:///etc/passwd"])
def test_row_48_a_redirect_home_is_refused(public: Canary, target: str) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    public.answer = lambda connection: connection.sendall(moved)

    refused("http://good.example/")

    assert len(public.requests) == 1


def test_row_48_redirects_come_to_an_end(public: Canary) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    public.answer = lambda connection: connection.sendall(moved)

    assert "redirects too often" in refused("http://good.example/")
    assert len(public.requests) == fetch.REDIRECTS_MAX + 1


def test_row_48_a_body_without_end_is_cut_off(public: Canary) -> None:
    sent: list[int] = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65_536))

    public.answer = flood

    assert "larger than 1 MB" in refused("http://good.example/")
    assert sum(sent) < 20_000_000


def test_row_48_who_drips_is_left_alone(public: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS_MAX", 0.3)
    left = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            for sign in OK * 100:
                connection.sendall(bytes([sign]))
                time.sleep(0.02)
        except OSError:
            left.set()

    public.answer = drip

    refused("http://good.example/")

    assert left.wait(10)


def test_a_name_that_is_looked_up_for_ever_is_given_up(
    public: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SECONDS_MAX", 0.05)
    end = threading.Event()
    monkeypatch.setattr(fetch, "_resolve", lambda host, port: end.wait(10) and [])

    assert "cannot be found" in refused("http://slow.example/")
    end.set()


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_public(address: str) -> None:
    assert fetch.is_public(address)
