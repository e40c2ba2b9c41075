"""Threads for what a socket needs from the database or the engine: two pools, both bounded.

Calls may wait for the engine; reads never do. They are kept apart so that an engine that stands
still cannot keep anybody from subscribing. What cannot be queued is refused at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from django.db import close_old_connections

from apps.core.errors import Unavailable

READ_THREADS: Final = 4
CALL_THREADS: Final = 8
# Whoever comes back after a restart waits for a moment; whoever wants to trade is told at once.
READS_MAX: Final = 2_000
CALLS_MAX: Final = 128

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """A thread pool with a short queue, whose threads mind Django's database connections."""

    def __init__(self, name: str, threads: int, places_max: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places_max = places_max
        self._taken = 0

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._taken >= self._places_max:
            raise Unavailable(
                "server_busy", "Too much is going on. Try again soon.", retry_after_seconds=1
            )

        def work() -> T:
            close_old_connections()
            try:
                return fn(*args, **kwargs)
            finally:
                close_old_connections()

        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._taken -= 1


reads: Final = Pool("live-read", READ_THREADS, READS_MAX)
calls: Final = Pool("live-call", CALL_THREADS, CALLS_MAX)
