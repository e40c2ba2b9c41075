"""Starts a web process, opens many sockets to it, publishes once a second and counts what comes.

``python -m bench._listeners SOCKETS SECONDS`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
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
            elif opcode == 1:
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


def _publish(seq: int) -> None:
    from apps.core.realtime import publish

    data = {"sent": time.monotonic(), "padding": "x" * PAYLOAD_BYTES}
    if not publish.publish(TOPIC, seq, seq - 1, data, data):
        raise RuntimeError("Valkey did not take the message.")


async def _measure(server: psutil.Process, port: int, sockets: int, seconds: int) -> None:
    from apps.core.realtime import publish
    from apps.core.realtime.connections import client, key

    # The topic's publisher counts as alive, or its readers would be told that it is not.
    client().set(key(f"{publish.SOURCE_PREFIX}markets"), "1")
    publish.publish_all([publish.Message(TOPIC, 0, None, {})])
    delays: list[float] = []
    began = time.monotonic()
    await _open(port, sockets, delays)
    opened_seconds = time.monotonic() - began
    before = server.cpu_times()
    for seq in range(1, seconds + 1):
        _publish(seq)
        await asyncio.sleep(1)
    expected, heard = sockets * seconds, -1
    while heard < len(delays) < expected:
        heard = len(delays)
        await asyncio.sleep(QUIET_SECONDS)
    after = server.cpu_times()
    spent = after.user + after.system - before.user - before.system
    delays.sort()
    found = {
        "memory_mib": server.memory_info().rss / 2**20,
        "delivered": len(delays) / expected,
        "p50_seconds": delays[len(delays) // 2],
        "p99_seconds": delays[int(len(delays) * 0.99)],
        "cpu_us": spent / expected * 1e6,
        "opened_per_second": sockets / opened_seconds,
    }
    sys.stdout.write(json.dumps(found) + "\n")


def main(sockets: int, seconds: int) -> None:
    django.setup()
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as web:
        try:
            assert web.stdout is not None
            web.stdout.readline()
            time.sleep(1)
            asyncio.run(_measure(psutil.Process(web.pid), port, sockets, seconds))
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
    main(int(sys.argv[1]), int(sys.argv[2]))
