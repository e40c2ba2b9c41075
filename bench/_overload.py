"""``python -m bench._overload PER_SECOND TIMES SECONDS``: usual load, too much, usual load again.

Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import NamedTuple

import django

from bench import _services
from bench._listeners import free_port
from bench._orders import AHEAD_SECONDS, people, process

WARM_UP_SECONDS = 5
USUAL_SECONDS = 15
RECOVERY_SECONDS = 10
IDLE_SECONDS_MAX = 3.0
PROJECTED_SECONDS_MAX = 60.0


class Answer(NamedTuple):
    """What became of one order."""

    due: float
    delay_ms: float
    status: int
    retry_after: bool
    order_id: int


class Crowd:
    """Connections, as many as there are orders out at once; each lent to one order at a time."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._port = port
        self.tokens = tokens
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._sent = 0

    async def place(self, due: float) -> Answer:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        self._sent += 1
        number = self._sent
        order = {
            "market": "BTC-USDT",
            "side": "buy" if number % 2 else "sell",
            "type": "limit",
            "quantity": f"0.00{100 + number % 89}",
            "price": f"{50_000 + number % 7}.00",
            "time_in_force": "ioc",
        }
        status, head, body = await self._ask(self.tokens[number % len(self.tokens)], order)
        delay_ms = (time.perf_counter() - due) * 1000
        order_id = int(json.loads(body)["id"]) if status == 201 else 0
        return Answer(due, delay_ms, status, b"retry-after:" in head, order_id)

    async def _ask(self, token: str, order: dict[str, str]) -> tuple[int, bytes, bytes]:
        # The server ends connections that were idle for some seconds, perhaps at this moment.
        while self._idle and time.perf_counter() - self._idle[-1][0] > IDLE_SECONDS_MAX:
            self._idle.pop()[2].close()
        try:
            if self._idle:
                _, reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            body = json.dumps(order)
            writer.write(
                (
                    f"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
                    f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"content-length:") + 15
            said = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        except (OSError, asyncio.IncompleteReadError):
            return 0, b"", b""
        self._idle.append((time.perf_counter(), reader, writer))
        return int(head[9:12]), head, said

    async def load(self, per_second: int, seconds: int) -> list[Answer]:
        started = time.perf_counter() + 0.1
        orders: list[asyncio.Task[Answer]] = []
        for number in range(per_second * seconds):
            due = started + number / per_second
            # Not all at once: making them would make the first ones late.
            await asyncio.sleep(max(0.0, due - time.perf_counter() - AHEAD_SECONDS))
            orders.append(asyncio.create_task(self.place(due)))
        return await asyncio.gather(*orders)


def _p99(delays: list[float]) -> float:
    ordered = sorted(delays)
    return ordered[int(len(ordered) * 0.99)] if ordered else 0.0


async def _measure(port: int, tokens: list[str], per_second: int, times: int, seconds: int) -> None:
    crowd = Crowd(port, tokens)
    await crowd.load(per_second, WARM_UP_SECONDS)
    usual = await crowd.load(per_second, USUAL_SECONDS)
    much = await crowd.load(per_second * times, seconds)
    later = await crowd.load(per_second, RECOVERY_SECONDS + USUAL_SECONDS)
    recovered = later[per_second * RECOVERY_SECONDS :]
    answers = [*usual, *much, *later]
    refused = [each for each in answers if each.status in (429, 503)]
    accepted = [each for each in much if each.status == 201]
    found = {
        "normal_p99_ms": _p99([each.delay_ms for each in usual]),
        "overload_p99_ms": _p99([each.delay_ms for each in accepted]),
        "refused_p99_ms": _p99([each.delay_ms for each in much if each.status in (429, 503)]),
        "after_p99_ms": _p99([each.delay_ms for each in recovered]),
        "accepted_per_second": len(accepted) / seconds,
        "refused": 1 - len(accepted) / len(much),
        "other_answers": sum(each.status not in (201, 429, 503) for each in answers),
        "without_retry_after": sum(not each.retry_after for each in refused),
        "lost": await asyncio.to_thread(_lost, [each.order_id for each in answers]),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _lost(order_ids: list[int]) -> int:
    """How many orders that were accepted are not in the tables when these have caught up."""
    from apps.matching import queries
    from apps.trades.models import Order

    queries.wait_for_seq(queries.journaled_seq(), timeout_seconds=PROJECTED_SECONDS_MAX)
    wanted = {order_id for order_id in order_ids if order_id}
    return len(wanted - set(Order.objects.values_list("id", flat=True)))


def main(per_second: int, times: int, seconds: int) -> None:
    django.setup()
    _services.wait_until_leading()
    port = free_port()
    with process("project"), process("serve", "--port", str(port), waits=True):
        tokens = people()
        asyncio.run(_measure(port, tokens, per_second, times, seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
