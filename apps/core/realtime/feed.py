"""The one subscription of this process to Valkey, and the knowledge of whether it is whole.

A client library that reconnects by itself would lose messages without a word; so this one does not.
Whenever the connection was away, its owner is told that it is lost, and per channel when it is
followed again. Silence is told from a broken connection by pings of our own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import redis
import redis.asyncio

logger = logging.getLogger(__name__)

PING_SECONDS: Final = 2.0
SILENCE_SECONDS: Final = 6.0
CANCEL_AGAIN_SECONDS: Final = 0.1
BACK_OFF_FIRST_SECONDS: Final = 0.05
BACK_OFF_MAX_SECONDS: Final = 2.0


class Feed:
    """Follows channels until it is cancelled.

    ``on_message(channel, payload)``, ``on_followed(channel)`` after each confirmation,
    ``on_lost()`` once per broken connection. They are called in the event loop and never wait.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        *,
        on_message: Callable[[str, bytes], None],
        on_followed: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._client = client
        self._on_message = on_message
        self._on_followed = on_followed
        self._on_lost = on_lost
        self._wanted: set[str] = set()
        self._commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.connected = False

    def follow(self, channel: str) -> None:
        self._wanted.add(channel)
        self._commands.put_nowait(("SUBSCRIBE", channel))

    def unfollow(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._commands.put_nowait(("UNSUBSCRIBE", channel))

    async def run(self) -> None:
        """Keep the subscription up, for ever."""
        failures = 0
        while True:
            try:
                await self._follow_until_broken()
            except (redis.RedisError, OSError) as error:
                if self.connected or not failures:
                    logger.warning("Live data cannot be followed: %s", error)
            if self.connected:
                self.connected = False
                failures = 0
                self._on_lost()
            ceiling = min(BACK_OFF_MAX_SECONDS, BACK_OFF_FIRST_SECONDS * 2**failures)
            failures = min(failures + 1, 10)
            await asyncio.sleep(ceiling * (0.5 + random.random() / 2))

    async def _follow_until_broken(self) -> None:
        connection = self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
            self._commands = asyncio.Queue()
            for channel in self._wanted:
                self._commands.put_nowait(("SUBSCRIBE", channel))
            self.connected = True
            writer = asyncio.create_task(self._write(connection))
            try:
                await self._read(connection)
            finally:
                await cancel_all([writer])
        finally:
            await connection.disconnect(nowait=True)

    async def _write(self, connection: Any) -> None:
        """Send what is asked for, and a ping now and then. Errors show on the reading side."""
        while connection.is_connected:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    command = await self._commands.get()
            except TimeoutError:
                command = ("PING", "")
            if not connection.is_connected:
                return
            await connection.send_command(*filter(None, command), check_health=False)

    async def _read(self, connection: Any) -> None:
        while True:
            reply = await connection.read_response(timeout=SILENCE_SECONDS)
            if reply is None:
                raise redis.TimeoutError("Valkey has gone silent.")
            # Before the first subscription a ping is answered plainly, and not with a list.
            if not isinstance(reply, list):
                continue
            kind = reply[0]
            if kind == b"message":
                self._on_message(reply[1].decode(), reply[2])
            elif kind == b"subscribe":
                self._on_followed(reply[1].decode())


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are done: a wait within the client may swallow a cancellation."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
