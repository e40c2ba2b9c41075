"""The writer's side of Valkey: reads requests from the stream, sends what is to be told.

One connection for one thread. What is posted is not waited for; the next question collects the
answers. Under load the next read of the stream is asked for before the engine begins. A lost
connection is the caller's business: nothing here connects again by itself.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import redis

from apps.engine.messages import AnyCommand, Malformed
from apps.matching import servers, wire
from apps.matching.journal import encoder

COMMANDS_PER_BATCH: Final = 2_000
ENTRIES_PER_READ_MIN: Final = 16
ENTRIES_PER_READ_MAX: Final = 2_000
MALFORMED_BYTES_KEPT: Final = 65_536


class Request(msgspec.Struct):
    """One stream entry: the commands of one envelope."""

    entry_id: bytes
    gateway_id: str
    number: int
    commands: list[AnyCommand]
    raw: msgspec.Raw
    malformed: bool = False
    quarantined: tuple[int, ...] = ()


def request_of(entry_id: bytes, fields: Sequence[bytes]) -> Request:
    """Return what an entry asks for; what cannot be read becomes one ``Malformed``."""
    data = fields[1] if len(fields) == 2 and fields[0] == wire.FIELD else b"".join(fields)
    gateway_id, number = "", 0
    try:
        envelope = wire.envelopes.decode(data)
        gateway_id, number = envelope.gateway_id, envelope.request
        commands = wire.commands.decode(envelope.commands)
        if commands and len(data) <= wire.ENVELOPE_BYTES_MAX:
            return Request(entry_id, gateway_id, number, commands, envelope.commands)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # Said below, in the journal, where it is kept.
    command_id = hashlib.sha256(entry_id).digest()[:16]
    malformed: list[AnyCommand] = [Malformed(command_id, 0, data[:MALFORMED_BYTES_KEPT])]
    raw = msgspec.Raw(encoder.encode(malformed))
    return Request(entry_id, gateway_id, number, malformed, raw, malformed=True)


class Link:
    """One connection to Valkey, without retries."""

    def __init__(self) -> None:
        self._client = servers.valkey()
        self._connection: Any = None
        self._owed = 0
        # How many answers come before that to what was asked ahead, if anything was.
        self._owed_before_ahead: int | None = None
        self._fetched: Any = None

    def connect(self) -> None:
        """Connect, or raise ``redis.RedisError``."""
        self.close()
        connection = self._client.connection_pool.make_connection()
        connection.connect()
        self._connection = connection

    def close(self) -> None:
        """Forget the connection and what it still owes."""
        if self._connection is not None:
            self._connection.disconnect()
        self._connection, self._owed = None, 0
        self._owed_before_ahead, self._fetched = None, None

    def post(self, commands: Sequence[Sequence[Any]]) -> None:
        """Send commands whose answers only matter if they are errors."""
        connection = self._connected()
        connection.send_packed_command(connection.pack_commands(commands))
        self._owed += len(commands)

    def ask(self, *command: Any) -> Any:
        """Send one command and return its answer, after those of everything sent before."""
        connection = self._connected()
        connection.send_command(*command)
        self._receive_ahead()
        self._pass_over(self._owed)
        self._owed = 0
        return connection.read_response()

    def ask_ahead(self, *command: Any) -> None:
        """Send one command whose answer is only fetched later. There is one such at a time."""
        self._connected().send_command(*command)
        self._owed_before_ahead, self._owed = self._owed, 0

    def fetch(self) -> Any:
        """Return the answer to what was asked ahead, or None if nothing was."""
        self._receive_ahead()
        answer, self._fetched = self._fetched, None
        return answer

    def run_script(self, script: str, sha: str, *arguments: Any) -> Any:
        """Run a script, sending its text only where Valkey does not know it."""
        try:
            return self.ask("EVALSHA", sha, *arguments)
        except redis.exceptions.NoScriptError:
            return self.ask("EVAL", script, *arguments)

    def _receive_ahead(self) -> None:
        if self._owed_before_ahead is not None:
            self._pass_over(self._owed_before_ahead)
            self._fetched = self._connected().read_response()
            self._owed_before_ahead = None

    def _pass_over(self, answers: int) -> None:
        connection = self._connected()
        for _ in range(answers):
            connection.read_response()

    def _connected(self) -> Any:
        if self._connection is None:
            raise redis.ConnectionError("not connected")
        return self._connection


class Inbox:
    """The stream, read in whole entries, which are decoded when their batch is due.

    An entry may hold one command or hundreds, so that a read may bring many batches.
    """

    def __init__(self, link: Link, shard: int) -> None:
        self._link = link
        self._shard = shard
        self._waiting: deque[tuple[bytes, Sequence[bytes]]] = deque()
        self._over: Request | None = None
        # Until it is known how large entries are, few are read.
        self._commands_per_entry = COMMANDS_PER_BATCH / ENTRIES_PER_READ_MIN
        self.open(0, "0-0")

    def open(self, generation: int, last_entry_id: str) -> None:
        """Read on after an entry of a generation; what was read ahead is read again."""
        self._key = wire.stream_key(self._shard, generation)
        self._last_read_id = last_entry_id
        self._waiting.clear()
        self._over = None
        self._more_to_come = False
        self._link.fetch()

    def take(self, block_ms: int) -> list[Request]:
        """Return the next requests, up to a batch's worth; wait for the first at most that long."""
        if not self._waiting and self._over is None:
            self._read(block_ms)
        taken = self._take_some()
        if self._more_to_come and not self._waiting:
            # Valkey looks for the next requests while the engine works on these.
            self._link.ask_ahead(*self._question())
        return taken

    def _take_some(self) -> list[Request]:
        taken: list[Request] = []
        size = 0
        waiting = self._waiting
        while waiting or self._over is not None:
            request = self._over or request_of(*waiting.popleft())
            self._over = None
            commands = len(request.commands)
            if taken and size + commands > COMMANDS_PER_BATCH:
                self._over = request
                break
            size += commands
            taken.append(request)
        if taken:
            self._commands_per_entry = size / len(taken)
        return taken

    def _read(self, block_ms: int) -> None:
        if self._more_to_come:
            answer = self._link.fetch()
        else:
            answer = self._link.ask(*self._question(block_ms))
        self._more_to_come = False
        if not answer:
            return
        entries = answer[0][1]
        self._more_to_come = len(entries) >= self._asked
        self._waiting.extend(entries)
        self._last_read_id = entries[-1][0].decode()

    def _question(self, block_ms: int = 0) -> tuple[Any, ...]:
        """Ask for as many entries as are about one batch."""
        wanted = int(COMMANDS_PER_BATCH / self._commands_per_entry)
        self._asked = max(ENTRIES_PER_READ_MIN, min(ENTRIES_PER_READ_MAX, wanted))
        block = ("BLOCK", block_ms) if block_ms > 0 else ()
        return ("XREAD", "COUNT", self._asked, *block, "STREAMS", self._key, self._last_read_id)
