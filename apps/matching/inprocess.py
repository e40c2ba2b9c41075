"""The gateway without services: applies, journals and projects in the calling thread.

For tests. The same engine, journal, chain and projections as the real path, on the caller's own
database connection and inside its transaction: what the caller rolls back has not happened, and
the engine is rebuilt from what the journal then says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from apps.engine.messages import Allot, AnyCommand
from apps.matching import journal, lease, projector, replay
from apps.matching.gateway import TIMEOUT_SECONDS, Reply, new_command_id, original_seq, reply_of
from apps.matching.journal import AnyCursor, Batch

logger = logging.getLogger(__name__)


class InProcessGateway:
    """Carries a command out before ``submit`` returns. ``projects`` off leaves that to others."""

    def __init__(self, *, projects: bool = True) -> None:
        self._projects = projects
        self._lock = threading.Lock()
        self._replayer: replay.Replayer | None = None

    def close(self) -> None:
        """Nothing is held open."""

    def submit(self, command: AnyCommand, timeout_seconds: float = TIMEOUT_SECONDS) -> Reply:
        """Carry out one command and return its outcome."""
        return self.submit_many([command], timeout_seconds)[0]

    def submit_many(
        self, commands: Sequence[AnyCommand], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> list[Reply]:
        """Carry out commands in order, as one journal row, and return their outcomes."""
        if not commands:
            return []
        with self._lock:
            try:
                with transaction.atomic(), connection.cursor() as wrapper:
                    return self._carry_out(list(commands), wrapper.cursor)
            except BaseException:
                # Memory may be ahead of what was rolled back.
                self._replayer = None
                raise

    def send(self, commands: Sequence[AnyCommand]) -> None:
        """Carry out commands in order."""
        self.submit_many(commands)

    def _carry_out(self, commands: list[AnyCommand], cursor: AnyCursor) -> list[Reply]:
        shard = settings.MATCHING_SHARD
        replayer = self._current(cursor, shard)
        engine = replayer.engine
        at_ns = max(engine.now_ns, time.time_ns())
        first_seq = engine.seq + 1
        asked = len(commands)
        events = [tuple(engine.apply(command, at_ns)) for command in commands]
        # As the host does, but at once: what is due to be allotted is.
        while (block_id := engine.next_allotment()) is not None:
            allot = Allot(new_command_id(), 0, block_id)
            commands.append(allot)
            events.append(tuple(engine.apply(allot, at_ns)))
        row = journal.make_row(
            shard=shard,
            first_seq=first_seq,
            last_seq=engine.seq,
            epoch=0,
            at_ns=at_ns,
            stream_generation=0,
            last_entry_id=journal.FIRST_ENTRY_ID,
            rules_version=engine.rules_version,
            commands=journal.encoder.encode([journal.Group(at_ns, commands)]),
            events=journal.encoder.encode([events]),
            prev_hash=replayer.last_hash,
        )
        lease.write_row(cursor, row)
        replayer.stood_at(row)
        batch = journal.batch_of(first_seq, [at_ns], [events])
        if self._projects:
            projector.project(batch, cursor, shard=shard)
            transaction.on_commit(lambda: projector.tell(batch))
        return [self._reply(entry, batch, cursor, shard) for entry in batch.entries[:asked]]

    def _current(self, cursor: AnyCursor, shard: int) -> replay.Replayer:
        lease.ensure_row(cursor, shard=shard)
        cursor.execute("SELECT epoch FROM matching_lease WHERE shard = %s FOR UPDATE", (shard,))
        if cursor.fetchone() != (0,):
            raise ImproperlyConfigured("A matching host writes this journal: use its gateway.")
        head = journal.head(cursor, shard=shard)
        replayer = self._replayer
        known = journal.GENESIS_HASH if head is None else head.hash
        if replayer is None or replayer.last_hash != known:
            replayer = replay.recover(cursor, shard=shard)
            self._replayer = replayer
        return replayer

    def _reply(self, entry: journal.Entry, batch: Batch, cursor: AnyCursor, shard: int) -> Reply:
        seq = original_seq(entry.events)
        if seq is None:
            return reply_of(entry, None)
        if seq >= batch.first_seq:
            return reply_of(entry, batch.entries[seq - batch.first_seq])
        return reply_of(entry, journal.entry_at(cursor, seq, shard=shard))
