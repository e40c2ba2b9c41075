"""How the writer's inbox packs what it reads into batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import redis
from django.conf import settings

from apps.engine.messages import AnyCommand, Tick
from apps.matching import wire
from apps.matching.inbox import (
    COMMANDS_PER_BATCH,
    ENTRIES_PER_READ_MAX,
    ENTRIES_PER_READ_MIN,
    Inbox,
    Link,
    Request,
    request_of,
)


class Stream:
    """Answers each read with the next of its entries, each so many commands long."""

    def __init__(self, *reads: list[int]) -> None:
        self.reads = list(reads)
        self.last = 0
        self.ahead: list[tuple[Any, ...]] = []
        self.asked: list[tuple[Any, ...]] = []

    def ask_ahead(self, *command: Any) -> None:
        self.ahead.append(command)

    def fetch(self) -> Any:
        return self.ask(*self.ahead.pop()) if self.ahead else None

    def ask(self, *command: Any) -> Any:
        self.asked.append(command)
        if not self.reads:
            return None
        return [(b"stream", [self._entry(size) for size in self.reads.pop(0)])]

    def _entry(self, size: int) -> tuple[bytes, list[bytes]]:
        self.last += 1
        commands: list[AnyCommand] = [Tick(bytes(16), 0)] * size
        return b"%d-0" % self.last, [wire.FIELD, wire.encode_envelope("g", self.last, commands)]


def _taken(inbox: Inbox) -> list[int]:
    return [request.number for request in inbox.take(0)]


def test_what_fits_one_batch_is_taken_at_once() -> None:
    inbox = Inbox(cast(Link, Stream([1, 3, COMMANDS_PER_BATCH - 4], [2])), 0)

    assert [_taken(inbox), _taken(inbox), _taken(inbox)] == [[1, 2, 3], [4], []]


def test_what_exceeds_a_batch_waits_for_the_next_and_the_stream_is_not_read_meanwhile() -> None:
    stream = Stream([COMMANDS_PER_BATCH - 1, 1, 1, COMMANDS_PER_BATCH + 1, 5], [7])
    inbox = Inbox(cast(Link, stream), 0)

    batches = [_taken(inbox) for _ in range(4)]

    assert batches == [[1, 2], [3], [4], [5]]
    assert len(stream.reads) == 1


def test_what_waited_is_read_again_after_a_new_start() -> None:
    inbox = Inbox(cast(Link, Stream([COMMANDS_PER_BATCH, 1], [1, 1])), 0)
    inbox.take(0)

    inbox.open(1, "1-0")

    assert _taken(inbox) == [3, 4]


def test_after_a_full_read_the_next_is_asked_for_at_once() -> None:
    stream = Stream([1] * ENTRIES_PER_READ_MAX, [1])
    inbox = Inbox(cast(Link, stream), 0)
    full = list(range(1, ENTRIES_PER_READ_MAX + 1))
    last = full[-1]

    assert _taken(inbox) == full
    assert [command[-1] for command in stream.ahead] == [f"{last}-0"]
    assert [_taken(inbox), _taken(inbox)] == [[last + 1], []]
    assert stream.ahead == []


def test_large_entries_are_decoded_when_their_batch_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[bytes] = []

    def counted(entry_id: bytes, fields: Sequence[bytes]) -> Request:
        decoded.append(entry_id)
        return request_of(entry_id, fields)

    monkeypatch.setattr("apps.matching.inbox.request_of", counted)
    stream = Stream([500] * 400)
    inbox = Inbox(cast(Link, stream), 0)

    batches = [_taken(inbox), _taken(inbox)]

    assert batches == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert len(decoded) == 9
    assert stream.asked[0][2] == ENTRIES_PER_READ_MIN


def test_what_was_asked_ahead_is_forgotten_at_a_new_start() -> None:
    stream = Stream([1] * ENTRIES_PER_READ_MAX, [1], [1, 1])
    inbox = Inbox(cast(Link, stream), 0)
    inbox.take(0)

    inbox.open(1, "0-0")

    assert _taken(inbox) == [ENTRIES_PER_READ_MAX + 2, ENTRIES_PER_READ_MAX + 3]


def test_an_answer_asked_ahead_is_kept_while_others_are_asked_for(valkey: redis.Redis) -> None:
    key = f"{settings.KEY_PREFIX}asked-ahead"
    link = Link()
    link.connect()

    link.post([("SET", key, 1), ("INCR", key)])
    link.ask_ahead("GET", key)
    link.post([("INCR", key)])

    assert link.ask("GET", key) == b"3"
    assert link.fetch() == b"2"
    assert link.fetch() is None
    link.close()
