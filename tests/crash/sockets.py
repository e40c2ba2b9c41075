"""Many sockets that follow a book as the documentation says, and find out whether they were told.

``python -m tests.crash.sockets COUNT REPORT STOP_FILE PORT`` follows until the stop file is there,
then compares what each has folded with the book as it stands, and writes what it found. A gap that
shows in ``prev`` is a gap that was noticed; a folded book that is not the book was not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

TOPIC = "market.BTC-USDT.book"
RETRY_SECONDS = 0.2
SETTLE_SECONDS = 30.0
# A socket that hears nothing at all for so long asks whether anybody is there.
SILENCE_SECONDS = 20.0

Levels = dict[str, dict[str, str]]


class Follower:
    """One socket's book."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: ClientConnection | None = None
        self.seq = -1
        self.levels: Levels = {"bids": {}, "asks": {}}
        self.found = {"messages": 0, "snapshots": 0, "noticed_gaps": 0, "reconnects": 0, "wrong": 0}

    async def live(self) -> None:
        while True:
            try:
                await self._follow()
            except (OSError, WebSocketException, TimeoutError):
                self.found["reconnects"] += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        origin: Any = f"http://127.0.0.1:{self._port}"
        address = f"ws://127.0.0.1:{self._port}/ws"
        async with connect(address, origin=origin, compression=None, open_timeout=5) as socket:
            self._socket = socket
            await self._subscribe()
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    text = await socket.recv()
                message = json.loads(text)
                if message.get("topic") == TOPIC and message.get("type") in ("snapshot", "delta"):
                    await self._hear(message)

    async def _subscribe(self) -> None:
        assert self._socket is not None
        wanted: dict[str, Any] = {"op": "subscribe", "topic": TOPIC}
        if self.seq >= 0:
            wanted["since"] = self.seq
        await self._socket.send(json.dumps(wanted))

    async def _hear(self, message: dict[str, Any]) -> None:
        self.found["messages"] += 1
        seq, data = message["seq"], message["data"]
        if message["type"] == "snapshot":
            self.found["snapshots"] += 1
            whole = {side: dict(data[side]) for side in ("bids", "asks")}
            if seq == self.seq and whole != self.levels:
                self.found["wrong"] += 1
            self.seq, self.levels = seq, whole
        elif seq > self.seq and message["prev"] > self.seq:
            self.found["noticed_gaps"] += 1
            self.seq = -1
            await self._subscribe()
        elif seq > self.seq:
            self._fold(data)
            self.seq = seq

    def _fold(self, data: dict[str, list[list[str]]]) -> None:
        for side in ("bids", "asks"):
            for price, quantity in data.get(side, ()):
                if quantity == "0":
                    self.levels[side].pop(price, None)
                else:
                    self.levels[side][price] = quantity


async def _run(count: int, report: Path, stop_file: Path, port: int) -> None:
    followers = [Follower(port) for _ in range(count)]
    tasks = [asyncio.create_task(each.live()) for each in followers]
    while not stop_file.exists():
        await asyncio.sleep(0.2)
    # Nothing trades any more, so all must come to stand where a fresh one does.
    fresh = Follower(port)
    tasks.append(asyncio.create_task(fresh.live()))
    give_up_at = time.monotonic() + SETTLE_SECONDS
    behind = followers
    while behind and time.monotonic() < give_up_at:
        await asyncio.sleep(0.5)
        behind = [each for each in followers if each.levels != fresh.levels or fresh.seq < 0]
    for task in tasks:
        task.cancel()
    totals = {name: sum(each.found[name] for each in followers) for name in fresh.found}
    report.write_text(json.dumps({"sockets": count, **totals, "undetected_gaps": len(behind)}))


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
