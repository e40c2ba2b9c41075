"""Following the engine from another process: every committed batch, in order, without a gap.

Valkey brings batches at once; whatever it does not bring is read from the journal. Followers
change nothing and keep nothing: who starts anew begins with a replica.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import psycopg
from django.conf import settings

from apps.engine.messages import Instrument
from apps.matching import replay, servers, wire
from apps.matching.journal import Batch, read_rows
from apps.matching.servers import Connection
from apps.matching.subscription import Subscription

logger = logging.getLogger(__name__)

SILENCE_SECONDS: Final = 0.25


class ReplicaView(Protocol):
    """The engine's state at one seq, for reading."""

    @property
    def instruments(self) -> dict[int, Instrument]: ...

    def depth(self, market_id: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return (price_ticks, lots) per level, bids and asks, best first."""
        ...

    def phases(self) -> Iterator[tuple[int, int, int]]:
        """Yield (market_id, phase, until_ns)."""
        ...

    def indications(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (market_id, price_ticks, lots, surplus_lots) of the auctions to come."""
        ...

    def reference_ticks(self, market_id: int) -> int:
        """Return the price that the market's band is drawn around."""
        ...


def replica() -> tuple[int, ReplicaView]:
    """Return the engine's present state and its seq: newest snapshot and what came after."""
    with closing(servers.postgres(name="matching-replica")) as connection:
        replayer = replay.recover(connection.cursor(binary=True), shard=settings.MATCHING_SHARD)
    return replayer.engine.seq, replayer.engine


def follow(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
    """Yield every batch after ``after_seq`` until ``stop`` is set; None when nothing happens."""
    tail = _Tail(after_seq)
    with closing(tail):
        while not stop.is_set():
            batch = tail.next()
            yield batch


@dataclass
class _Journal:
    """Reads rows for a follower; a database that is away is not its end."""

    connection: Connection | None = None

    def after(self, seq: int) -> list[Batch]:
        try:
            if self.connection is None:
                self.connection = servers.postgres(name="matching-follow")
            rows = read_rows(
                self.connection.cursor(binary=True), seq, shard=settings.MATCHING_SHARD, limit=20
            )
        except psycopg.OperationalError as error:
            logger.warning("The journal cannot be read: %s", error)
            self.close()
            return []
        return [row.batch() for row in rows]

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class _Tail:
    """Puts what Valkey says and what the journal holds into one sequence."""

    def __init__(self, after_seq: int) -> None:
        self._seq = after_seq
        self._said = Subscription(wire.out_channel(settings.MATCHING_SHARD))
        self._journal = _Journal()
        self._read: list[Batch] = []
        self._look = True

    def close(self) -> None:
        self._said.close()
        self._journal.close()

    def next(self) -> Batch | None:
        """Return the next batch, or None when there is none for a moment."""
        if self._look and not self._read:
            self._read = self._journal.after(self._seq)[::-1]
            # There may be more; look again once these are handed out.
            self._look = bool(self._read)
        if self._read:
            return self._advance(self._read.pop())
        message = self._said.next(SILENCE_SECONDS)
        if message is None:
            self._look = True
            return None
        try:
            batch = wire.decode_committed(message)
        except msgspec.MsgspecError:
            logger.exception("A batch that was published cannot be read.")
            self._look = True
            return None
        if batch.first_seq > self._seq + 1:
            self._look = True
            return None
        return self._advance(batch)

    def _advance(self, batch: Batch) -> Batch | None:
        if batch.last_seq <= self._seq:
            return None
        if batch.first_seq <= self._seq:
            entries = batch.entries[self._seq + 1 - batch.first_seq :]
            batch = Batch(self._seq + 1, batch.last_seq, entries)
        self._seq = batch.last_seq
        return batch
