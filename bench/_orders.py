"""Starts a web process and a projector, and sends orders to them on a timetable.

``python -m bench._orders ORDERS_PER_SECOND SECONDS`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import django

from bench import _services
from bench._listeners import free_port

PEOPLE = 16
WARM_UP_SECONDS = 3
AS_FAST_SECONDS = 5
AHEAD_SECONDS = 0.05


class Sender:
    """One person's connection. Orders that are due while an answer is out wait for their turn."""

    def __init__(self, port: int, token: str, number: int) -> None:
        self._port = port
        self._number = number
        self._head = (
            f"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )
        self._sent = 0
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def place(self) -> int:
        """Send one order and return the status of its answer."""
        async with self._turn:
            self._sent += 1
            # Around one price, so that some rest and some trade; no two in a row are alike.
            side = "buy" if (self._number + self._sent) % 2 else "sell"
            order = {
                "market": "BTC-USDT", "side": side, "type": "limit",
                "quantity": f"0.00{100 + self._sent % 89}",
                "price": f"{50_000 + self._sent % 7}.00", "time_in_force": "ioc",
            }  # fmt: skip
            body = json.dumps(order)
            self._writer.write(f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            head = await self._reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length:") + 15
            await self._reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
            return int(head[9:12])


async def _on_time(senders: list[Sender], per_second: int, seconds: int) -> dict[str, float]:
    delays_ms: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter() + 0.1

    async def one(number: int) -> None:
        due = started + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        statuses[await senders[number % len(senders)].place()] += 1
        delays_ms.append((time.perf_counter() - due) * 1000)

    orders = []
    for number in range(per_second * seconds):
        # Not all at once: making them would make the first ones late.
        due = started + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter() - AHEAD_SECONDS))
        orders.append(asyncio.create_task(one(number)))
    await asyncio.gather(*orders)
    delays_ms.sort()
    return {
        "p50_ms": delays_ms[len(delays_ms) // 2],
        "p99_ms": delays_ms[int(len(delays_ms) * 0.99)],
        "accepted": statuses[201] / len(delays_ms),
        "failed": sum(count for status, count in statuses.items() if status >= 500),
    }


async def _as_fast_as_answers_come(senders: list[Sender], seconds: int) -> float:
    ends_at = time.perf_counter() + seconds
    accepted = 0

    async def one(sender: Sender) -> None:
        nonlocal accepted
        while time.perf_counter() < ends_at:
            status = await sender.place()
            accepted += status == 201

    await asyncio.gather(*(one(sender) for sender in senders))
    return accepted / seconds


async def _measure(port: int, tokens: list[str], per_second: int, seconds: int) -> None:
    senders = [Sender(port, token, number) for number, token in enumerate(tokens)]
    await asyncio.gather(*(sender.open() for sender in senders))
    await _on_time(senders, per_second, WARM_UP_SECONDS)
    found = await _on_time(senders, per_second, seconds)
    found["most_per_second"] = await _as_fast_as_answers_come(senders, AS_FAST_SECONDS)
    sys.stdout.write(json.dumps(found) + "\n")


def people() -> list[str]:
    """A market and people with demo funds; return their access tokens."""
    from apps.accounts.actions import register_person
    from apps.core import clock
    from apps.markets.actions import list_instrument
    from apps.markets.catalogue import STANDARD_MARKETS
    from apps.wallets.actions import open_house_accounts
    from apps.wallets.welcome import welcome

    now = clock.now()
    open_house_accounts(now=now)
    list_instrument(actor=None, spec=STANDARD_MARKETS[0])
    for number in range(PEOPLE):
        user = register_person(
            email=f"person{number}@example.com", password=f"a-passphrase-of-{number:04}",
            display_name=f"Person {number}", now=now,
        )  # fmt: skip
        welcome(user, now)
    return sign_in()


def sign_in() -> list[str]:
    """Return access tokens of everybody, new ones; they are good for ten minutes."""
    from apps.accounts.actions import open_sign_in
    from apps.accounts.models import User
    from apps.core import clock

    return [
        open_sign_in(actor=user, client="bench", address="", now=clock.now()).access
        for user in User.objects.order_by("pk")
    ]


@contextlib.contextmanager
def process(*arguments: str, waits: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "manage.py", *arguments]
    with subprocess.Popen(command, cwd=_services.ROOT, stdout=subprocess.PIPE) as started:
        try:
            if waits:
                assert started.stdout is not None
                started.stdout.readline()
            yield started
        finally:
            started.terminate()


def main(per_second: int, seconds: int) -> None:
    django.setup()
    _services.wait_until_leading()
    port = free_port()
    with process("project"), process("serve", "--port", str(port), waits=True):
        tokens = people()
        asyncio.run(_measure(port, tokens, per_second, seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
