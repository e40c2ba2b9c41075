"""What a connection keeps up as long as it lives, and ends with it.

A peer asks for it by a call; the server repeats it while the connection is there and says so when
it is not, whoever closed it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from apps.core.errors import DomainError
from apps.core.realtime import threads
from apps.core.realtime.calls import Watch

logger = logging.getLogger(__name__)

# Ends outlive their connection; without a reference a task may be collected before it is done.
_ends: set[asyncio.Task[None]] = set()


class Watches:
    """The watches of one connection, by what they are about."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def take(self, watch: Watch) -> None:
        """Begin a watch in place of the one of the same key, or only end that."""
        before = self._kept.pop(watch.key, None)
        if before is not None:
            before.stop()
        if watch.every_seconds:
            self._kept[watch.key] = _Kept(watch)
        elif before is not None:
            _follow_up(_repeat(before, watch))

    def end(self) -> None:
        """The connection is gone: end every watch, without waiting for it."""
        for kept in self._kept.values():
            kept.stop()
            _follow_up(_end(kept))
        self._kept.clear()


class _Kept:
    """A watch that is kept up until it is stopped.

    A call that is under way in its thread cannot be called back: what ends the watch waits for it,
    or the call would take effect afterwards.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.was_calling = False
        self._calling: asyncio.Task[None] | None = None
        self._keeping = asyncio.create_task(self._keep())

    def stop(self) -> None:
        self._keeping.cancel()
        self.was_calling = self._calling is not None and not self._calling.done()

    async def settled(self) -> None:
        """Wait for the call that was under way, if there was one."""
        if self._calling is not None:
            await asyncio.wait([self._calling])

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self.watch.every_seconds)
            self._calling = asyncio.create_task(_try(self.watch.keep, "could not be kept"))
            await asyncio.wait([self._calling])


def _follow_up(work: Coroutine[Any, Any, None]) -> None:
    ending = asyncio.create_task(work)
    _ends.add(ending)
    ending.add_done_callback(_ends.discard)


async def _end(kept: _Kept) -> None:
    await kept.settled()
    await _try(kept.watch.end, "ends by its own timeout")


async def _repeat(kept: _Kept, taken_back: Watch) -> None:
    """What was taken back meanwhile is taken back again, where a last call may have undone it."""
    if kept.was_calling:
        await kept.settled()
        await _try(taken_back.keep, "could not be taken back")


async def _try(call: Callable[[], None], words: str) -> None:
    """Do what may be refused. A keep is tried again soon, and an end comes by the timeout."""
    try:
        await threads.calls.run(call)
    except DomainError as error:
        logger.warning("A watch %s (%s).", words, error.code)
