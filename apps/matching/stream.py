"""The gateway through Valkey: packs commands into stream entries and waits for durable answers.

One script decides and sends in one step: is there a writer, is there room, are the projections
near enough. So a command either was not sent, for a stated reason, or it is in the stream. What
takes risk out of the venue, or of an account, needs a writer and nothing more.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from django import db
from django.conf import settings
from django.db import connection

from apps.engine.idempotency import REMEMBERED_MAX
from apps.engine.messages import AnyCommand, CancelAll, Kill, Place, Rejected, SetAccount, SetVenue
from apps.matching import journal, servers, wire
from apps.matching.gateway import (
    COMMANDS_PER_ENTRY_MAX,
    TIMEOUT_SECONDS,
    Reply,
    busy,
    original_seq,
    outcome_unknown,
    reply_of,
    unavailable,
)
from apps.matching.replies import ReplyListener

# What restricts trading goes in also where the inbox is full or the records are behind.
_RESTRICTING: Final = (SetVenue, Kill, SetAccount)
INBOX_ENTRIES_MAX: Final = 100_000
PROJECTOR_LAG_MS_MAX: Final = 120_000
# Half of the ids that the engine remembers: older ones are looked up in the projections.
PROJECTOR_LAG_COMMANDS_MAX: Final = REMEMBERED_MAX // 2

SEND: Final = """
local leader = redis.call('GET', KEYS[1])
if not leader then return 'down' end
local generation, seq, at = string.match(leader, '^(%d+):%d+:(%d+):(%d+)$')
local stream = ARGV[1] .. generation
if ARGV[2] ~= 'urgent' then
  local projected = redis.call('GET', KEYS[2])
  if not projected then return 'behind' end
  local projected_seq, projected_at = string.match(projected, '^(%d+):(%d+)$')
  local lag = tonumber(seq) - tonumber(projected_seq)
  if lag > tonumber(ARGV[5]) then return 'behind' end
  if lag > 0 and tonumber(at) - tonumber(projected_at) > tonumber(ARGV[4]) then return 'behind' end
  if redis.call('XLEN', stream) >= tonumber(ARGV[3]) then return 'full' end
end
for i = 6, #ARGV do redis.call('XADD', stream, '*', 'm', ARGV[i]) end
return 'sent'
"""
SEND_SHA: Final = hashlib.sha1(SEND.encode(), usedforsecurity=False).hexdigest()


class StreamGateway:
    """One per process, shared by its threads."""

    def __init__(self) -> None:
        self._id = os.urandom(8).hex()
        self._client = servers.valkey()
        self._listener = ReplyListener(self._id)
        self._requests = itertools.count(1)
        self._free_waiters = threading.BoundedSemaphore(settings.MATCHING_WAITERS_MAX)

    def close(self) -> None:
        """Let go of the connections; a new gateway takes this one's place."""
        self._listener.close()
        self._client.close()

    def submit(self, command: AnyCommand, timeout_seconds: float = TIMEOUT_SECONDS) -> Reply:
        """Send one command and wait for its durable reply."""
        return self.submit_many([command], timeout_seconds)[0]

    def submit_many(
        self, commands: Sequence[AnyCommand], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> list[Reply]:
        """Send commands as one packed entry and wait for all their replies, in order."""
        if not commands:
            return []
        if len(commands) > COMMANDS_PER_ENTRY_MAX:
            raise ValueError(f"At most {COMMANDS_PER_ENTRY_MAX} commands fit in one entry.")
        with self._waiting():
            answer = self._ask(commands, timeout_seconds)
        try:
            return self._replies(commands, answer)
        except db.Error as error:
            # The outcome is durable, but the original that it repeats cannot be read just now.
            if not connection.in_atomic_block:
                connection.close()
            raise outcome_unknown(commands) from error

    def send(self, commands: Sequence[AnyCommand]) -> None:
        """Send commands, packed, without waiting for what becomes of them."""
        envelopes = [
            wire.encode_envelope(self._id, 0, commands[start : start + COMMANDS_PER_ENTRY_MAX])
            for start in range(0, len(commands), COMMANDS_PER_ENTRY_MAX)
        ]
        if envelopes:
            self._push(envelopes, commands)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        if not self._free_waiters.acquire(blocking=False):
            raise busy("Too many requests wait for the exchange. Nothing was sent.")
        try:
            yield
        finally:
            self._free_waiters.release()

    def _ask(self, commands: Sequence[AnyCommand], timeout_seconds: float) -> wire.Answer:
        if not self._listener.ready():
            raise unavailable("The exchange cannot be reached. Nothing was sent.")
        request = next(self._requests)
        with self._listener.expect(request) as waiter:
            self._push([wire.encode_envelope(self._id, request, commands)], commands)
            answer = waiter.wait(timeout_seconds)
        if answer is None:
            raise outcome_unknown(commands)
        return answer

    def _push(self, envelopes: list[bytes], commands: Sequence[AnyCommand]) -> None:
        pool = self._client.connection_pool
        try:
            link = pool.get_connection()
        except redis.RedisError as error:
            raise unavailable("The exchange cannot be reached. Nothing was sent.") from error
        try:
            verdict = _send(link, envelopes, urgent=any(_is_urgent(each) for each in commands))
        except redis.ResponseError as error:
            # The script stopped before its first write: Valkey is loading, or is out of memory.
            raise unavailable(f"The exchange cannot take requests ({error}).") from error
        except redis.RedisError as error:
            link.disconnect()
            raise outcome_unknown(commands) from error
        finally:
            pool.release(link)
        if verdict == b"down":
            raise unavailable("The exchange is not running. Nothing was sent.")
        if verdict == b"full":
            raise busy("The exchange has too much to do. Nothing was sent.")
        if verdict == b"behind":
            raise busy("The exchange waits for its records to catch up. Nothing was sent.", 5)

    def _replies(self, commands: Sequence[AnyCommand], answer: wire.Answer) -> list[Reply]:
        events = wire.answer_events.decode(answer.events)
        if not events:
            return [_refused(c, answer.first_seq, answer.at_ns, "malformed") for c in commands]
        batch = journal.batch_of(answer.first_seq, [answer.at_ns], [events])
        replies = [self._reply(entry, batch) for entry in batch.entries]
        for place in answer.quarantined:
            entry = batch.entries[place]
            replies[place] = _refused(commands[place], entry.seq, entry.at_ns, "quarantined")
        return replies

    def _reply(self, entry: journal.Entry, batch: journal.Batch) -> Reply:
        seq = original_seq(entry.events)
        if seq is None:
            return reply_of(entry, None)
        if seq >= batch.first_seq:
            return reply_of(entry, batch.entries[seq - batch.first_seq])
        with connection.cursor() as cursor:
            return reply_of(entry, journal.entry_at(cursor, seq, shard=settings.MATCHING_SHARD))


def _is_urgent(command: AnyCommand) -> bool:
    """Whether it takes risk away from somebody who is not asked. One's own cancels wait."""
    if isinstance(command, CancelAll):
        return command.reduce_only
    return isinstance(command, _RESTRICTING)


def _refused(command: AnyCommand, seq: int, at_ns: int, reason: str) -> Reply:
    # The host put something else in the command's place; to whoever asked, that is a refusal.
    if isinstance(command, Place):
        refusal = Rejected(reason, command.account_id, command.client_order_id)
    else:
        refusal = Rejected(reason)
    return Reply(seq, at_ns, (refusal,))


def _send(link: Any, envelopes: list[bytes], *, urgent: bool) -> bytes:
    """Send envelopes, or say why not. What halts the venue must not wait for what it is to stop."""
    shard = settings.MATCHING_SHARD
    arguments = (
        2, wire.leader_key(shard), wire.projected_key(shard), wire.stream_prefix(shard),
        "urgent" if urgent else "", INBOX_ENTRIES_MAX, PROJECTOR_LAG_MS_MAX,
        PROJECTOR_LAG_COMMANDS_MAX, *envelopes,
    )  # fmt: skip
    link.send_command("EVALSHA", SEND_SHA, *arguments)
    try:
        verdict: bytes = link.read_response()
    except redis.exceptions.NoScriptError:
        link.send_command("EVAL", SEND, *arguments)
        verdict = link.read_response()
    return verdict
