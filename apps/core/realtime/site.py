"""The ASGI application: one port for pages, the API and live data.

It hands sockets to the consumer and requests to Django's WSGI handler in a bounded thread pool, and
speaks the lifespan protocol itself. A thread is never lent to a slow client: a request's body is
read before a thread is taken, and a response is taken off the thread at once. It refuses more
requests than it can queue, more changes than there are threads, bodies that are too large, and
bodies that do not arrive.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson
from django.conf import settings

from apps.core.realtime.consumer import LiveConsumer
from apps.core.realtime.hub import close_hub
from apps.core.realtime.pages import Pages

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

REQUESTS_MAX: Final = 220
# A queue of changes that has not been short for so long, is long, and as long as it ever was in
# that time stands: it is kept short until a second in which few had to be refused.
QUEUE_SHORT: Final = 4
QUEUE_STANDS_SECONDS: Final = 0.2
QUEUE_STANDING_MAX: Final = 6
REFUSED_FEW: Final = 0.1
RETRY_AFTER_SECONDS: Final = 1
BODY_BYTES_MAX: Final = 2_621_440
BODY_SECONDS_MAX: Final = 15.0
SOCKET_PATH: Final = "/ws"
READING: Final = ("GET", "HEAD", "OPTIONS")


class Site:
    """The whole web process, as one ASGI application."""

    def __init__(self, django: Callable[..., Any]) -> None:
        self._requests = 0
        # Half of the threads may wait for the engine; the rest go on serving pages.
        threads = 2 * settings.MATCHING_WAITERS_MAX
        self._changes = Queue(threads)
        self._pages = Pages(django, threads)
        self._socket = LiveConsumer.as_asgi()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve_request(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == SOCKET_PATH:
            await self._socket(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._live_and_stop(receive, send)

    async def _live_and_stop(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await close_hub()
        self._pages.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._requests >= REQUESTS_MAX:
            await _refuse(send, 503, "server_busy", "Too many requests at once. Try again soon.")
            return
        self._requests += 1
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                body = await _read_body(receive)
            if body is None:
                await _refuse(send, 413, "body_too_large", "The request is too large.")
                return
            # WSGI cannot tell an underscore from a hyphen, so a header named with one could pass
            # for a header that only a trusted proxy may set.
            scope["headers"] = [pair for pair in scope["headers"] if b"_" not in pair[0]]
            if scope["method"] in READING:
                await self._pages.answer(scope, body, send)
            else:
                await self._change(scope, body, send)
        except TimeoutError:
            await _refuse(send, 408, "body_too_slow", "The request did not arrive in time.")
        except _Gone:
            return
        finally:
            self._requests -= 1

    async def _change(self, scope: Scope, body: bytes, send: Send) -> None:
        """Orders and the like, of which no more may wait than can be worked on.

        Refused before anything has been done for it, one too many costs those who were there first
        as good as nothing.
        """
        if not self._changes.admits(time.monotonic()):
            await _refuse(send, 503, "server_busy", "Too much is going on. Try again soon.")
            return
        self._changes.length += 1
        try:
            await self._pages.answer(scope, body, send)
        finally:
            self._changes.length -= 1


class Queue:
    """Whether one more may join those who wait and are worked on.

    A burst, or what gathered while the machine stood still, may fill all places: it gets shorter
    by itself. Where more come than can be served the queue does not; who joins it then waits for
    nothing but its length, so it is kept short.
    """

    def __init__(self, places: int) -> None:
        self.length = 0
        self._places = places
        self._long = places // 2
        self._short_at = -math.inf
        self._longest = 0
        self._kept_short = False
        self._counted_from = -math.inf
        self._came = self._refused = 0

    def admits(self, now: float) -> bool:
        """Decide on who comes at this moment, of a clock in seconds."""
        if self.length <= QUEUE_SHORT:
            self._short_at, self._longest = now, 0
        if self._kept_short:
            self._kept_short = self._must_stay_short(now)
        elif self._stands(now):
            self._kept_short = True
            self._count_anew(now)
        self._longest = max(self._longest, self.length)
        room = self.length < (QUEUE_STANDING_MAX if self._kept_short else self._places)
        self._came += 1
        self._refused += not room
        return room

    def _stands(self, now: float) -> bool:
        lasts = now - self._short_at > QUEUE_STANDS_SECONDS
        return lasts and self.length >= max(self._long, self._longest)

    def _must_stay_short(self, now: float) -> bool:
        """Look back on a second, and longer only where nobody came."""
        seconds = now - self._counted_from
        if seconds < 1:
            return True
        many = seconds < 2 and self._refused >= REFUSED_FEW * self._came
        self._count_anew(now)
        return many

    def _count_anew(self, now: float) -> None:
        self._counted_from, self._came, self._refused = now, 0, 0


class _Gone(Exception):
    """The client left before its request was complete."""


async def _read_body(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES_MAX:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _refuse(send: Send, status: int, code: str, detail: str) -> None:
    body = orjson.dumps(
        {"type": "about:blank", "title": detail, "status": status, "code": code, "detail": detail}
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
