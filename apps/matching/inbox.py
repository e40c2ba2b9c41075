"""The writer's side of Valkey: reads requests from the stream, sends what is to be told.

One connection for one thread. What is posted is not waited for; the next question collects the
answers. A lost connection is the caller's business: nothing here connects again by itself.
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
ENTRIES_PER_READ_MAX: Final = 2_000
MALFORMED_BYTES_KEPT: Final = 65_536


class Request(msgspec.Struct):
    """One stream entry: the commands of one envelope."""

    entry_id: str
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
            return Request(entry_id.decode(), gateway_id, number, commands, envelope.commands)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # Said below, in the journal, where it is kept.
    command_id = hashlib.sha256(entry_id).digest()[:16]
    malformed: list[AnyCommand] = [Malformed(command_id, 0, data[:MALFORMED_BYTES_KEPT])]
    raw = msgspec.Raw(encoder.encode(malformed))
    return Request(entry_id.decode(), gateway_id, number, malformed, raw, malformed=True)


class Link:
    """One connection to Valkey, without retries."""

    def __init__(self) -> None:
        self._client = servers.valkey()
        self._connection: Any = None
        self._owed = 0

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

    def post(self, commands: Sequence[Sequence[Any]]) -> None:
        """Send commands whose answers only matter if they are errors."""
        connection = self._connected()
        connection.send_packed_command(connection.pack_commands(commands))
        self._owed += len(commands)

    def ask(self, *command: Any) -> Any:
        """Send one command and return its answer, after those of everything posted before."""
        connection = self._connected()
        connection.send_command(*command)
        while self._owed:
            connection.read_response()
            self._owed -= 1
        return connection.read_response()

    def run_script(self, script: str, sha: str, *arguments: Any) -> Any:
        """Run a script, sending its text only where Valkey does not know it."""
        try:
            return self.ask("EVALSHA", sha, *arguments)
        except redis.exceptions.NoScriptError:
            return self.ask("EVAL", script, *arguments)

    def _connected(self) -> Any:
        if self._connection is None:
            raise redis.ConnectionError("not connected")
        return self._connection


class Inbox:
    """The stream, read in whole entries."""

    def __init__(self, link: Link, shard: int) -> None:
        self._link = link
        self._shard = shard
        self._waiting: deque[Request] = deque()
        self._waiting_commands = 0
        self._commands_per_entry = 1.0
        self.open(0, "0-0")

    def open(self, generation: int, last_entry_id: str) -> None:
        """Read on after an entry of a generation; what was read ahead is read again."""
        self._key = wire.stream_key(self._shard, generation)
        self._last_read_id = last_entry_id
        self._waiting.clear()
        self._waiting_commands = 0

    def take(self, block_ms: int) -> list[Request]:
        """Return the next requests, up to a batch's worth; wait for the first at most that long."""
        if not self._waiting:
            self._read(block_ms)
        if self._waiting_commands <= COMMANDS_PER_BATCH:
            # As nearly always: what was read is one batch, and nobody need look at each request.
            taken = list(self._waiting)
            self._waiting.clear()
            self._waiting_commands = 0
            return taken
        taken = []
        size = 0
        while self._waiting:
            commands = len(self._waiting[0].commands)
            if taken and size + commands > COMMANDS_PER_BATCH:
                break
            size += commands
            taken.append(self._waiting.popleft())
        self._waiting_commands -= size
        return taken

    def _read(self, block_ms: int) -> None:
        count = max(
            16, min(ENTRIES_PER_READ_MAX, int(COMMANDS_PER_BATCH / self._commands_per_entry))
        )
        block = ("BLOCK", block_ms) if block_ms > 0 else ()
        answer = self._link.ask(
            "XREAD", "COUNT", count, *block, "STREAMS", self._key, self._last_read_id
        )
        if not answer:
            return
        entries = answer[0][1]
        self._waiting.extend([request_of(entry_id, fields) for entry_id, fields in entries])
        self._last_read_id = self._waiting[-1].entry_id
        self._waiting_commands = sum([len(request.commands) for request in self._waiting])
        self._commands_per_entry = self._waiting_commands / len(entries)
