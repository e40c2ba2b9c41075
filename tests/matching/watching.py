"""What tests of the host look at while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from django.db import connection

from apps.engine.messages import (
    AnyCommand,
)
from apps.matching import journal, wire


def rows() -> list[journal.Row]:
    """Return the whole journal, whose chain must hold."""
    with connection.cursor() as cursor:
        found = list(journal.tail(cursor, shard=0))
    last_seq, last_hash = 0, journal.GENESIS_HASH
    for row in found:
        journal.check_follows(row, last_seq=last_seq, last_hash=last_hash)
        last_seq, last_hash = row.last_seq, row.hash
    return found


def commands_of(row: journal.Row) -> list[AnyCommand]:
    return [command for group in row.groups() for command in group.commands]


def in_stream(client: redis.Redis, generation: int = 0) -> int:
    return int(client.xlen(wire.stream_key(0, generation)))


def eventually(check: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
