"""What a connection keeps up as long as it lives, and ends with it.

A peer asks for it by a call; the server repeats it while the connection is there and says so when
it is not, whoever closed it.
"""

from __future__ import annotations

import asyncio
import logging

from apps.core.errors import DomainError
from apps.core.realtime import threads
from apps.core.realtime.calls import Watch

logger = logging.getLogger(__name__)

# Ends outlive their connection; without a reference a task may be collected before it is done.
_ends: set[asyncio.Task[None]] = set()


class Watches:
    """The watches of one connection, by what they are about."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Watch, asyncio.Task[None]]] = {}

    def take(self, watch: Watch) -> None:
        """Begin a watch in place of the one of the same key, or only end that."""
        before = self._kept.pop(watch.key, None)
        if before is not None:
            before[1].cancel()
        if watch.every_seconds:
            self._kept[watch.key] = (watch, asyncio.create_task(_keep(watch)))

    def end(self) -> None:
        """The connection is gone: end every watch, without waiting for it."""
        for watch, task in self._kept.values():
            task.cancel()
            ending = asyncio.create_task(_end(watch))
            _ends.add(ending)
            ending.add_done_callback(_ends.discard)
        self._kept.clear()


async def _keep(watch: Watch) -> None:
    while True:
        await asyncio.sleep(watch.every_seconds)
        try:
            await threads.calls.run(watch.keep)
        except DomainError as error:
            # It is tried again soon; what the watch guards against is then nearer, not farther.
            logger.warning("A watch could not be kept (%s).", error.code)


async def _end(watch: Watch) -> None:
    try:
        await threads.calls.run(watch.end)
    except DomainError as error:
        logger.warning("A watch ends by its own timeout (%s).", error.code)
