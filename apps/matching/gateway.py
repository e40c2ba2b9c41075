"""The one way to the engine: commands go in, replies come out after they are durable.

``get_gateway()`` returns the process's gateway: "stream" goes through Valkey to the writer,
"inprocess" applies, journals and projects in the calling thread. A gateway never guesses: what
was not sent raises ``engine_unavailable`` or ``engine_busy``, what was sent and not answered in
time raises ``outcome_unknown`` with the ids to ask by.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.core.errors import Unavailable
from apps.engine.messages import AnyCommand, AnyEvent, Duplicate, Rejected
from apps.matching.journal import Entry

COMMANDS_PER_ENTRY_MAX: Final = 500
TIMEOUT_SECONDS: Final = 2.0


class Reply(msgspec.Struct, frozen=True):
    """The durable outcome of one command.

    A repeated command is answered with the outcome of the first: ``seq`` and ``events`` are the
    original's, and ``duplicate`` is true. Timers that fell due ran before the command, so events
    of other people's orders may come first.
    """

    seq: int
    at_ns: int
    events: tuple[AnyEvent, ...]
    duplicate: bool = False

    @property
    def rejected(self) -> Rejected | None:
        """Return the refusal, if the engine refused the command."""
        return next((event for event in self.events if isinstance(event, Rejected)), None)


class Gateway(Protocol):
    """What every gateway offers. All of it is safe to call from several threads."""

    def submit(self, command: AnyCommand, timeout_seconds: float = TIMEOUT_SECONDS) -> Reply:
        """Send one command and wait for its durable reply."""
        ...

    def submit_many(
        self, commands: Sequence[AnyCommand], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> list[Reply]:
        """Send commands as one packed entry and wait for all their replies, in order."""
        ...

    def send(self, commands: Sequence[AnyCommand]) -> None:
        """Send commands, packed, without waiting for what becomes of them."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


def new_command_id() -> bytes:
    """Return an id for a new intent."""
    return os.urandom(16)


def derived_command_id(*parts: str) -> bytes:
    """Return the id of an intent that is named by ``parts``: the same parts, the same id."""
    return hashlib.sha256("\x1f".join(parts).encode()).digest()[:16]


def valid_until_ns(seconds: float) -> int:
    """Return the moment after which a command sent now is refused as stale."""
    return time.time_ns() + int(seconds * 1_000_000_000)


def unavailable(message: str, retry_after_seconds: int = 1) -> Unavailable:
    """The engine cannot be reached; nothing was sent."""
    return Unavailable("engine_unavailable", message, retry_after_seconds=retry_after_seconds)


def busy(message: str, retry_after_seconds: int = 1) -> Unavailable:
    """The engine has more to do than it should; nothing was sent."""
    return Unavailable("engine_busy", message, retry_after_seconds=retry_after_seconds)


def outcome_unknown(commands: Sequence[AnyCommand]) -> Unavailable:
    """The commands were sent and may or may not have been carried out."""
    first = commands[0]
    return Unavailable(
        "outcome_unknown",
        "The exchange did not answer in time. Look the order up by its client order id before"
        " you send it again; the same id is never carried out twice.",
        retry_after_seconds=1,
        command_id=first.command_id.hex(),
        client_order_id=getattr(first, "client_order_id", ""),
    )


def original_seq(events: Sequence[AnyEvent]) -> int | None:
    """Return the seq of the command that this one repeats, if it repeats one."""
    return next((e.original_seq for e in events if isinstance(e, Duplicate)), None)


def reply_of(entry: Entry, original: Entry | None) -> Reply:
    """Return the reply to the command of ``entry``, which may repeat ``original``."""
    if original is None:
        return Reply(entry.seq, entry.at_ns, entry.events)
    return Reply(original.seq, original.at_ns, original.events, duplicate=True)


_lock = threading.Lock()
_gateways: dict[str, Gateway] = {}


def get_gateway() -> Gateway:
    """Return the gateway of this process; a forked child gets its own."""
    kind = settings.MATCHING_GATEWAY
    gateway = _gateways.get(kind)
    if gateway is None:
        with _lock:
            gateway = _gateways.get(kind) or _make(kind)
            _gateways[kind] = gateway
    return gateway


def forget() -> None:
    """Close this process's gateways; the next caller gets a new one."""
    with _lock:
        for gateway in _gateways.values():
            gateway.close()
        _gateways.clear()


def _forget_in_child() -> None:
    # The parent's threads and connections are not ours, nor is a lock it may have held.
    global _lock
    _lock = threading.Lock()
    _gateways.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def _make(kind: str) -> Gateway:
    # Imported here because each kind needs a different half of the app (and of its services).
    if kind == "inprocess":
        from apps.matching.inprocess import InProcessGateway

        return InProcessGateway()
    if kind == "stream":
        from apps.matching.stream import StreamGateway

        return StreamGateway()
    raise ImproperlyConfigured(f"MATCHING_GATEWAY must be stream or inprocess, not {kind!r}.")
