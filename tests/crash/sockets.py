"""Many sockets that follow what the documentation says they can, and find out if they were told.

``python -m tests.crash.sockets COUNT PEOPLE REPORT STOP_FILE PORT`` follows a book COUNT times and
the account of each person twice until the stop file is there, then compares what each has folded
with the topic as it stands, and writes what it found. A gap that shows in ``prev`` is a gap that
was noticed; what is folded and is not as the topic was not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import django
import redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.crash.followed import AccountFigures, BookSides, Folded

BOOK: Final = "market.BTC-USDT.book"
SOCKETS_PER_PERSON: Final = 2
RETRY_SECONDS: Final = 0.2
REFUSED_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 30.0
# A socket that hears nothing at all for so long asks whether anybody is there.
SILENCE_SECONDS: Final = 20.0


class Follower:
    """One socket and its topic. ``ticket`` says whose it is, where that matters."""

    def __init__(
        self, port: int, topic: str, folded: Folded, ticket: Callable[[], str] | None = None
    ) -> None:
        self.topic = topic
        self.folded = folded
        self.seq = -1
        self.found = {"messages": 0, "snapshots": 0, "noticed_gaps": 0, "reconnects": 0, "wrong": 0}
        self._port = port
        self._ticket = ticket
        self._socket: ClientConnection | None = None

    def another(self) -> Follower:
        return Follower(self._port, self.topic, type(self.folded)(), self._ticket)

    async def live(self) -> None:
        while True:
            try:
                await self._follow()
            except (OSError, WebSocketException, TimeoutError, redis.RedisError):
                self.found["reconnects"] += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        origin: Any = f"http://127.0.0.1:{self._port}"
        address = f"ws://127.0.0.1:{self._port}/ws"
        async with connect(address, origin=origin, compression=None, open_timeout=5) as socket:
            self._socket = socket
            if self._ticket is not None:
                ticket = await asyncio.to_thread(self._ticket)
                await socket.send(json.dumps({"op": "auth", "ticket": ticket}))
            await self._subscribe()
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    text = await socket.recv()
                message = json.loads(text)
                if message.get("op") == "error":
                    # The database was away for a moment: ask again, from the start.
                    await asyncio.sleep(REFUSED_SECONDS)
                    raise ConnectionError(message["code"])
                if message.get("topic") == self.topic and "seq" in message:
                    await self._hear(message)

    async def _subscribe(self) -> None:
        assert self._socket is not None
        wanted: dict[str, Any] = {"op": "subscribe", "topic": self.topic}
        if self.seq >= 0:
            wanted["since"] = self.seq
        await self._socket.send(json.dumps(wanted))

    async def _hear(self, message: dict[str, Any]) -> None:
        self.found["messages"] += 1
        seq, data = message["seq"], message["data"]
        if message["type"] == "snapshot":
            self.found["snapshots"] += 1
            fresh = type(self.folded)()
            fresh.whole(data)
            if seq == self.seq and fresh != self.folded:
                self.found["wrong"] += 1
            self.seq, self.folded = seq, fresh
        elif seq > self.seq and message["prev"] > self.seq:
            self.found["noticed_gaps"] += 1
            self.seq = -1
            await self._subscribe()
        elif seq > self.seq:
            self.folded.fold(data)
            self.seq = seq


def _of_people(people: int, port: int) -> list[Follower]:
    """Sockets of the people of the opening, each on its own account."""
    from apps.accounts.models import User
    from apps.core.realtime import tickets
    from apps.wallets.models import TradingAccount
    from tests.crash.http_client import email

    found = []
    for number in range(people):
        person = User.objects.get(email=email(number))
        account = TradingAccount.objects.get(owner=person)
        for _ in range(SOCKETS_PER_PERSON):
            topic = f"account.{account.public_id}"

            def ticket(person: User = person) -> str:
                return tickets.issue(person)

            found.append(Follower(port, topic, AccountFigures(), ticket))
    return found


async def _run(followers: list[Follower], report: Path, stop_file: Path) -> None:
    tasks = [asyncio.create_task(each.live()) for each in followers]
    while not stop_file.exists():
        await asyncio.sleep(0.2)
    # Nothing trades any more, so all must come to stand where a fresh one does.
    fresh = {each.topic: each.another() for each in followers}
    tasks += [asyncio.create_task(each.live()) for each in fresh.values()]
    give_up_at = time.monotonic() + SETTLE_SECONDS
    behind = followers
    while behind and time.monotonic() < give_up_at:
        await asyncio.sleep(0.5)
        behind = [each for each in followers if each.seq < 0 or not _agree(each, fresh)]
    for task in tasks:
        task.cancel()
    public = [each for each in followers if each.topic == BOOK]
    private = [each for each in followers if each.topic != BOOK]
    found = {"public": _totals(public, behind), "private": _totals(private, behind)}
    report.write_text(json.dumps(found))


def _agree(follower: Follower, fresh: dict[str, Follower]) -> bool:
    other = fresh[follower.topic]
    return other.seq >= 0 and other.folded == follower.folded


def _totals(followers: list[Follower], behind: list[Follower]) -> dict[str, int]:
    names = followers[0].found if followers else ()
    return {
        "sockets": len(followers),
        **{name: sum(each.found[name] for each in followers) for name in names},
        "undetected_gaps": sum(each in behind for each in followers),
    }


def main(count: int, people: int, report: Path, stop_file: Path, port: int) -> None:
    django.setup()
    followers = [Follower(port, BOOK, BookSides()) for _ in range(count)]
    followers += _of_people(people, port)
    asyncio.run(_run(followers, report, stop_file))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
