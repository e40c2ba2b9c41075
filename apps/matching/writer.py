"""The writer: takes requests, lets the engine decide, journals, and only then tells.

While one batch is being committed the next is worked out; nothing leaves before its commit. Memory
may so be ahead of the journal, and therefore any failure to journal ends the process: what starts
in its place begins with what is committed. Nothing here recovers from the database's loss.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import msgspec
import redis
from msgspec import Raw

from apps.engine.messages import Allot, AnyCommand, Quarantined, Tick
from apps.matching import failpoints, servers, wire
from apps.matching.inbox import Inbox, Link, Request
from apps.matching.journal import FIRST_ENTRY_ID, Row, encoder, make_row
from apps.matching.lease import RENEW_SECONDS, Keeper, Lease, LeaseLost
from apps.matching.replay import Replayer, recover
from apps.matching.wire import Answer

logger = logging.getLogger(__name__)

BLOCK_MS: Final = 100
HEARTBEAT_SECONDS: Final = 0.3
HEARTBEAT_LIFE_MS: Final = 1_500
TRIM_ENTRIES: Final = 1_000
RECONNECT_SECONDS: Final = 0.2
ERROR_CHARACTERS_KEPT: Final = 500

# Shows that the writer lives, unless a later one does, or the stream is not the one it read.
# It must do also where memory is full: only a writer that leads makes room, by trimming the stream.
ANNOUNCE: Final = """#!lua flags=allow-oom
local have = redis.call('GET', KEYS[1])
if have and tonumber(string.match(have, '^%d+:(%d+)')) > tonumber(ARGV[1]) then return 'fenced' end
if ARGV[4] ~= '0-0' then
  local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
  if info.err then return 'empty' end
  local last
  for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
  local ms, n = string.match(last, '^(%d+)-(%d+)$')
  local my_ms, my_n = string.match(ARGV[4], '^(%d+)-(%d+)$')
  ms, n, my_ms, my_n = tonumber(ms), tonumber(n), tonumber(my_ms), tonumber(my_n)
  if ms < my_ms or (ms == my_ms and n < my_n) then return 'empty' end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[3], ARGV[5], 'NX')
return 'ok'
"""
ANNOUNCE_SHA: Final = hashlib.sha1(ANNOUNCE.encode(), usedforsecurity=False).hexdigest()


class Raised(Exception):
    """A command made the engine raise; the engine's state cannot be trusted any more."""

    def __init__(self, request: int, command: int, error: Exception) -> None:
        super().__init__(repr(error))
        self.request = request
        self.command = command


class Outcome(msgspec.Struct):
    """A batch that is worked out, and what to say once it is committed."""

    row: Row
    times: list[int]
    answers: dict[str, list[Answer]]


class Writer:
    """Leads one shard until it is told to stop, or until something forbids it to go on."""

    def __init__(
        self,
        lease: Lease,
        replayer: Replayer,
        stop: threading.Event,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._lease = lease
        self._replayer = replayer
        self._stop = stop
        self._clock = clock
        self._link = Link()
        self._inbox = Inbox(self._link, lease.shard)
        self._keeper = Keeper(lease)
        self._pending: Outcome | None = None
        self._committed: Row | None = None
        self._strikes: dict[tuple[bytes, int], int] = {}
        self._announced_at = 0.0
        self._projected_at_start = "0:0"
        self._consumed_since_trim = 0

    def run(self) -> None:
        """Work until the stop event is set. What was begun is finished."""
        with self._keeper:
            self._reconnect()
            while not self._stop.is_set():
                self._keeper.progress()
                try:
                    self._step()
                except redis.RedisError as error:
                    logger.warning("Valkey is gone (%s): no orders until it is back.", error)
                    self._commit()
                    self._reconnect()
            last = self._commit()
        try:
            self._tell(last)
            self._link.ask("PING")
        except redis.RedisError as error:
            logger.warning("The last answers could not be sent: %s", error)
        self._link.close()

    def _step(self) -> None:
        block_id = self._replayer.engine.next_allotment()
        busy = self._pending is not None or block_id is not None
        requests = self._inbox.take(0 if busy else self._patience_ms())
        if block_id is not None:
            # Behind what others have sent: no command waits for more than one piece.
            requests.append(self._own(Allot(self._own_id("allot"), 0, block_id), requests))
        outcome = self._work_out(requests) if requests else self._tick_if_due()
        committed = self._commit()
        if outcome is not None:
            failpoints.reach(failpoints.BEFORE_INSERT)
            # On its way before anything else: the engine has carried it out already.
            self._lease.begin(outcome.row)
            failpoints.reach(failpoints.SENT_NOT_COMMITTED)
            self._pending = outcome
        elif self._lease.age_seconds >= RENEW_SECONDS:
            self._lease.renew()
        self._tell(committed)
        if time.monotonic() - self._announced_at >= HEARTBEAT_SECONDS:
            self._announce()
            if self._consumed_since_trim and self._committed is not None:
                self._link.post([self._trim(self._committed)])

    def _patience_ms(self) -> int:
        due_ns = self._replayer.engine.next_due_ns()
        if due_ns is None:
            return BLOCK_MS
        return min(BLOCK_MS, max(1, (due_ns - self._clock()) // 1_000_000 + 1))

    def _tick_if_due(self) -> Outcome | None:
        engine = self._replayer.engine
        due_ns = engine.next_due_ns()
        if due_ns is None or due_ns > self._clock():
            return None
        return self._work_out([self._own(Tick(self._own_id("tick"), 0), [])])

    def _own_id(self, what: str) -> bytes:
        """An id of a command of the writer's own, which nobody waits for."""
        name = f"{what}:{self._lease.epoch}:{self._replayer.engine.seq}".encode()
        return hashlib.sha256(name).digest()[:16]

    def _own(self, command: AnyCommand, before: list[Request]) -> Request:
        """A command of the writer's own, at the place in the stream where it stands."""
        place = before[-1].entry_id if before else self._replayer.last_entry_id.encode()
        return Request(place, "", 0, [command], Raw(encoder.encode([command])))

    # ------------------------------------------------------------------ working out

    def _work_out(self, requests: list[Request]) -> Outcome:
        """Let the engine decide; a command that makes it raise twice is put aside."""
        while True:
            try:
                return self._attempt(requests)
            except Raised as raised:
                committed = self._commit()
                try:
                    self._strike(requests[raised.request], raised)
                    self._tell(committed)
                finally:
                    self._rebuild()

    def _attempt(self, requests: list[Request]) -> Outcome:
        engine = self._replayer.engine
        apply, encode, clock = engine.apply, encoder.encode, self._clock
        first_seq = engine.seq + 1
        times: list[int] = []
        outcomes: list[Raw] = []
        answers: defaultdict[str, list[Answer]] = defaultdict(list)
        at_ns = engine.now_ns
        for number, request in enumerate(requests):
            now_ns = clock()
            if now_ns > at_ns:
                at_ns = now_ns
            group_seq = engine.seq + 1
            events = []
            try:
                for command in request.commands:
                    events.append(apply(command, at_ns))
            except Exception as error:
                raise Raised(number, len(events), error) from error
            raw_events = Raw(encode(events))
            times.append(at_ns)
            outcomes.append(raw_events)
            if request.number:
                said = _NOTHING if request.malformed else raw_events
                answers[request.gateway_id].append(
                    Answer(request.number, group_seq, at_ns, said, request.quarantined)
                )
        groups = zip(times, [request.raw for request in requests], strict=True)
        row = make_row(
            shard=self._lease.shard,
            first_seq=first_seq,
            last_seq=engine.seq,
            epoch=self._lease.epoch,
            at_ns=engine.now_ns,
            stream_generation=self._replayer.stream_generation,
            last_entry_id=requests[-1].entry_id.decode(),
            rules_version=engine.rules_version,
            commands=encode(list(groups)),
            events=encode(outcomes),
            prev_hash=self._replayer.last_hash,
        )
        self._replayer.stood_at(row)
        self._consumed_since_trim += len(requests)
        return Outcome(row, times, answers)

    def _strike(self, request: Request, raised: Raised) -> None:
        place = (request.entry_id, raised.command)
        self._strikes[place] = self._strikes.get(place, 0) + 1
        command = request.commands[raised.command]
        logger.critical("The engine raised on %r: %s", command, raised, exc_info=raised.__cause__)
        if self._strikes[place] < 2:
            return
        if isinstance(command, Quarantined):
            raise RuntimeError("The engine raises whatever it is given.") from raised
        error = str(raised)[:ERROR_CHARACTERS_KEPT]
        # A block whose allotment raises waits for people; the host would ask for it for ever.
        block_id = command.block_id if isinstance(command, Allot) else 0
        quarantined = Quarantined(command.command_id, 0, encoder.encode(command), error, block_id)
        request.commands[raised.command] = quarantined
        request.raw = Raw(encoder.encode(request.commands))
        request.quarantined = (*request.quarantined, raised.command)
        whose = f" Block {block_id} waits for `manage.py allot`." if block_id else ""
        alarm = f"A command was quarantined and the venue takes cancels only: {error}{whose}"
        logger.critical(alarm)
        self._link.post([("SET", wire.alarm_key(self._lease.shard), alarm)])

    def _rebuild(self) -> None:
        """Put a clean engine in the place of one that raised; the keeper keeps the lease."""
        # The place in the stream is that of the last commit, but the generation may be newer.
        generation = self._replayer.stream_generation
        last_entry_id = self._replayer.last_entry_id
        with closing(servers.postgres(name="matching-rebuild")) as connection:
            self._replayer = recover(
                connection.cursor(binary=True),
                shard=self._lease.shard,
                progress=lambda _: self._keeper.progress(),
            )
        if self._replayer.engine.seq != self._lease.last_seq:
            raise LeaseLost("The journal has moved on without this writer.")
        self._replayer.stream_generation = generation
        self._replayer.last_entry_id = last_entry_id

    # ------------------------------------------------------------------ journaling and telling

    def _commit(self) -> Outcome | None:
        """Wait until the batch on its way is committed, and return it."""
        outcome, self._pending = self._pending, None
        if outcome is not None:
            self._lease.finish()
        return outcome

    def _tell(self, outcome: Outcome | None) -> None:
        """Say what a committed batch decided: to those who asked, and to everybody."""
        if outcome is None:
            return
        failpoints.reach(failpoints.COMMITTED_NOT_ACKED)
        shard = self._lease.shard
        commands: list[tuple[Any, ...]] = [
            ("PUBLISH", wire.reply_channel(gateway_id), encoder.encode(answers))
            for gateway_id, answers in outcome.answers.items()
        ]
        row = outcome.row
        message = wire.encode_committed(row.first_seq, outcome.times, row.events)
        commands.append(("PUBLISH", wire.wakeup_channel(shard), row.last_seq))
        commands.append(("PUBLISH", wire.out_channel(shard), message))
        self._committed = row
        if self._consumed_since_trim >= TRIM_ENTRIES:
            commands.append(self._trim(row))
        self._link.post(commands)

    def _trim(self, committed: Row) -> tuple[Any, ...]:
        self._consumed_since_trim = 0
        key = wire.stream_key(self._lease.shard, committed.stream_generation)
        return ("XTRIM", key, "MINID", committed.last_entry_id)

    # ------------------------------------------------------------------ Valkey

    def _announce(self) -> None:
        """Show that this writer lives; start a new stream where the old one has vanished."""
        replayer, lease = self._replayer, self._lease
        while True:
            at_ms = replayer.engine.now_ns // 1_000_000
            generation = replayer.stream_generation
            verdict = self._link.run_script(
                ANNOUNCE, ANNOUNCE_SHA, 3,
                wire.leader_key(lease.shard),
                wire.stream_key(lease.shard, generation),
                wire.projected_key(lease.shard),
                lease.epoch, f"{generation}:{lease.epoch}:{lease.last_seq}:{at_ms}",
                HEARTBEAT_LIFE_MS, replayer.last_entry_id, self._projected_at_start,
            )  # fmt: skip
            if verdict == b"fenced":
                raise LeaseLost("A later writer is at work.")
            if verdict == b"ok":
                break
            logger.warning("Valkey lost the stream: generation %d begins.", generation + 1)
            replayer.stream_generation = generation + 1
            replayer.last_entry_id = FIRST_ENTRY_ID
            self._inbox.open(replayer.stream_generation, FIRST_ENTRY_ID)
        self._announced_at = time.monotonic()

    def _reconnect(self) -> None:
        """Connect to Valkey, however long that takes, and keep the lease meanwhile."""
        while not self._stop.is_set():
            self._keeper.progress()
            try:
                self._link.connect()
                self._inbox.open(self._replayer.stream_generation, self._replayer.last_entry_id)
                self._projected_at_start = self._projected_place()
                self._announce()
                return
            except redis.RedisError:
                self._link.close()
                self._stop.wait(RECONNECT_SECONDS)
            if self._lease.age_seconds >= RENEW_SECONDS:
                self._lease.renew()

    def _projected_place(self) -> str:
        seq, at_ns = self._lease.projected()
        return f"{seq}:{(at_ns if seq else self._clock()) // 1_000_000}"


_NOTHING: Final = Raw(encoder.encode([]))
