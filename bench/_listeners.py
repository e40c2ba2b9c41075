"""Starts a web process, opens many sockets to it, publishes once a second and counts what comes.

``python -m bench._listeners SOCKETS SECONDS SLOW`` prints one JSON object. All sockets follow one
quiet topic; SLOW more follow three busy books, first read what they get, and then never a byte.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time

import django
import psutil

from apps.local.problems import PortBusy
from apps.local.server import refuse_busy_port
from bench._services import ROOT

TOPIC = "tickers"
OPENING_AT_ONCE = 100
QUIET_SECONDS = 3.0
PAYLOAD_BYTES = 150
BOOKS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
BOOK_BYTES = 8_000
BOOKS_PER_SECOND = 10
SLOW_BUFFER_BYTES = 4_096
TCP_ESTABLISHED = 1


class Listener(asyncio.Protocol):
    """A socket that notes when each message came. It never sends more than it must."""

    def __init__(self, port: int, delays: list[float]) -> None:
        self.port = port
        self.delays = delays
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Origin: http://127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        arrived = time.monotonic()
        self.received += data
        if not self.ready.done():
            self._shake_hands()
            return
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == 9:
                self._send(0x8A, payload)
            elif opcode == 1 and b'"sent":' in payload:
                at = payload.find(b'"sent":') + 7
                self.delays.append(arrived - float(payload[at : payload.index(b",", at)]))

    def _shake_hands(self) -> None:
        if b'"op":"hello"' in self.received:
            self.received = b""
            self._send(0x81, json.dumps({"op": "subscribe", "topic": TOPIC}).encode())
        elif b'"type":"snapshot"' in self.received:
            self.received = b""
            self.ready.set_result(None)

    def _next_frame(self) -> tuple[int, bytes] | None:
        data = self.received
        if len(data) < 2:
            return None
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        if len(data) < start + size:
            return None
        self.received = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]

    def _send(self, first: int, payload: bytes) -> None:
        assert self.transport is not None
        self.transport.write(bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def follow_books(self, *, reads: bool) -> None:
        """Follow much, and read it or not."""
        assert self.transport is not None
        if not reads:
            self.transport.pause_reading()
        for symbol in BOOKS:
            topic = f"market.{symbol}.book"
            self._send(0x81, json.dumps({"op": "subscribe", "topic": topic}).encode())

    @property
    def is_cut(self) -> bool:
        """Whether the other side has ended the connection: who does not read sees it nowhere."""
        assert self.transport is not None
        plain = self.transport.get_extra_info("socket")
        state: int = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state != TCP_ESTABLISHED

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("closed while opening"))


async def _open(port: int, sockets: int, delays: list[float]) -> None:
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one() -> None:
        async with gate:
            _, listener = await loop.create_connection(
                lambda: Listener(port, delays), "127.0.0.1", port
            )
            await listener.ready

    await asyncio.gather(*(one() for _ in range(sockets)))


async def _open_to_books(port: int, sockets: int, *, read: bool) -> list[Listener]:
    loop = asyncio.get_running_loop()
    found = []
    for _ in range(sockets):
        plain = socket.socket()
        if not read:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
        plain.setblocking(False)
        await loop.sock_connect(plain, ("127.0.0.1", port))
        _, listener = await loop.create_connection(lambda: Listener(port, []), sock=plain)
        await listener.ready
        found.append(listener)
    for listener in found:
        listener.follow_books(reads=read)
    return found


def _publish(seq: int) -> None:
    from apps.core.realtime import publish

    data = {"sent": time.monotonic(), "padding": "x" * PAYLOAD_BYTES}
    if not publish.publish(TOPIC, seq, seq - 1, data, data):
        raise RuntimeError("Valkey did not take the message.")


def _publish_books(seq: int) -> None:
    from apps.core.realtime import publish

    data = {"padding": "x" * BOOK_BYTES}
    publish.publish_all(
        [publish.Message(f"market.{symbol}.book", seq, seq - 1, data, data) for symbol in BOOKS]
    )


class Phase:
    """So many seconds of messages, and when each of them came."""

    def __init__(self, delays: list[float]) -> None:
        self._delays = delays
        self._seq = self._book_seq = 0

    async def run(self, sockets: int, seconds: int) -> dict[str, float]:
        self._delays.clear()
        for tenth in range(seconds * BOOKS_PER_SECOND):
            if tenth % BOOKS_PER_SECOND == 0:
                self._seq += 1
                _publish(self._seq)
            self._book_seq += 1
            _publish_books(self._book_seq)
            await asyncio.sleep(1 / BOOKS_PER_SECOND)
        expected, heard = sockets * seconds, -1
        while heard < len(self._delays) < expected:
            heard = len(self._delays)
            await asyncio.sleep(QUIET_SECONDS)
        ordered = sorted(self._delays)
        return {
            "delivered": len(ordered) / expected,
            "p50_seconds": ordered[len(ordered) // 2],
            "p99_seconds": ordered[int(len(ordered) * 0.99)],
        }


async def _seconds_until_cut(slow: list[Listener], seconds: float) -> list[float]:
    """How long each slow reader was kept; one that stays counts as the whole time."""
    began = time.monotonic()
    cut: dict[int, float] = {}
    while len(cut) < len(slow) and time.monotonic() - began < seconds:
        for number, listener in enumerate(slow):
            if number not in cut and listener.is_cut:
                cut[number] = time.monotonic() - began
        await asyncio.sleep(0.1)
    return [cut.get(number, seconds) for number in range(len(slow))]


async def _measure(
    server: psutil.Process, port: int, sockets: int, seconds: int, slow_sockets: int
) -> None:
    from apps.core.realtime import publish
    from apps.core.realtime.connections import client, key

    # The topics' publisher counts as alive, or its readers would be told that it is not.
    client().set(key(f"{publish.SOURCE_PREFIX}markets"), "1")
    books = [f"market.{symbol}.book" for symbol in BOOKS]
    publish.publish_all([publish.Message(topic, 0, None, {}) for topic in (TOPIC, *books)])
    delays: list[float] = []
    began = time.monotonic()
    await _open(port, sockets, delays)
    opened_seconds = time.monotonic() - began
    phase = Phase(delays)
    readers = await _open_to_books(port, slow_sockets, read=True)
    before = server.cpu_times()
    found = await phase.run(sockets, seconds)
    after = server.cpu_times()
    spent = after.user + after.system - before.user - before.system
    found["memory_mib"] = server.memory_info().rss / 2**20
    messages = (sockets + slow_sockets * len(BOOKS) * BOOKS_PER_SECOND) * seconds
    found["cpu_us"] = spent / messages * 1e6
    found["opened_per_second"] = sockets / opened_seconds
    for each in readers:
        assert each.transport is not None
        each.transport.abort()
    slow = await _open_to_books(port, slow_sockets, read=False)
    watching = asyncio.create_task(_seconds_until_cut(slow, float(seconds + 10)))
    beside = await phase.run(sockets, seconds)
    kept = await watching
    found["slow_kept_seconds"] = max(kept)
    found["beside_slow_delivered"] = beside["delivered"]
    found["beside_slow_p99_seconds"] = beside["p99_seconds"]
    found["beside_slow_memory_mib"] = server.memory_info().rss / 2**20
    sys.stdout.write(json.dumps(found) + "\n")


def _list_markets() -> None:
    """The busy books belong to markets, so these must be in the tables."""
    from apps.engine import messages
    from apps.markets.catalogue import STANDARD_MARKETS
    from apps.markets.models import Instrument

    for spec in STANDARD_MARKETS[: len(BOOKS)]:
        Instrument.objects.create(
            id=spec.market_id, symbol=spec.symbol, base_id=1 + spec.market_id, quote_id=1,
            tick_size_minor=1, lot_minor=1, tick_lot_minor=1, min_quantity_lots=1,
            max_quantity_lots=1, min_notional_minor=1, max_notional_minor=1, maker_fee_ppm=0,
            taker_fee_ppm=0, band_bps=1, state=messages.OPEN,
        )  # fmt: skip


def main(sockets: int, seconds: int, slow: int) -> None:
    django.setup()
    _list_markets()
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as web:
        try:
            assert web.stdout is not None
            web.stdout.readline()
            time.sleep(1)
            asyncio.run(_measure(psutil.Process(web.pid), port, sockets, seconds, slow))
        finally:
            web.terminate()


def free_port() -> int:
    for port in range(25_900, 26_000):
        try:
            refuse_busy_port(port, "the web process of a bench")
        except PortBusy:
            continue
        return port
    raise RuntimeError("No free port for a bench.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
