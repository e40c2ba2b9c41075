"""Watches what the engine commits, for what others do to the house's quotes.

Runs in a thread of its own and keeps only events of the market maker. Losing PostgreSQL or Valkey
ends nothing here: it goes on after the last event it saw.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

import psycopg
import redis
from django.db import Error as DatabaseError
from django.db import connection

from apps.engine.messages import Accepted, AnyEvent, Closed, Trade
from apps.matching.journal import Batch
from apps.wallets.actions import MAKER_ACCOUNT_ID

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.5

Follow: TypeAlias = Callable[[int, threading.Event], Iterator[Batch | None]]


class Watcher:
    """Started once; ``take`` hands over what has come in since."""

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self._seen: SimpleQueue[list[AnyEvent]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._after_seq = 0

    def start(self, after_seq: int, stop: threading.Event) -> None:
        self._after_seq = after_seq
        self._thread = threading.Thread(
            target=self._run, args=(stop,), name="house-watcher", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def take(self) -> Iterator[list[AnyEvent]]:
        """Yield what has come in, oldest first, without waiting."""
        while True:
            try:
                yield self._seen.get_nowait()
            except Empty:
                return

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                for batch in self._follow(self._after_seq, stop):
                    if batch is not None:
                        self._keep(batch)
            except (redis.RedisError, psycopg.Error, DatabaseError) as error:
                logger.warning("Following the engine stopped and goes on: %s", error)
            finally:
                connection.close()
            stop.wait(RETRY_SECONDS)

    def _keep(self, batch: Batch) -> None:
        events = [event for entry in batch.entries for event in entry.events if _is_ours(event)]
        if events:
            self._seen.put(events)
        self._after_seq = batch.last_seq


def _is_ours(event: AnyEvent) -> bool:
    if isinstance(event, Trade):
        return MAKER_ACCOUNT_ID in (event.maker_account_id, event.taker_account_id)
    return isinstance(event, Accepted | Closed) and event.account_id == MAKER_ACCOUNT_ID
