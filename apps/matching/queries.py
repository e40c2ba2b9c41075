"""What others may ask about the journal, its projections and the writer. Belongs to no viewer."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypedDict, cast

from django.conf import settings
from django.db import connection

from apps.core.realtime.connections import client
from apps.engine.messages import Rejected
from apps.matching import journal, wire
from apps.matching.models import Snapshot

# Commands are counted in so many of the newest rows of the journal, and not in more.
RATE_ROWS_MAX: Final = 100_000
# Refusals are looked for in what is read and unpacked at once.
REFUSAL_ROWS_MAX: Final = 2_000
REFUSAL_COMMANDS_MAX: Final = 10_000
REASONS_SHOWN: Final = 3


@dataclass(frozen=True)
class ProjectorLag:
    """How far the projections are behind: commands, and the age of the first one missing."""

    commands: int
    seconds: float


class EngineHealth(TypedDict):
    """``leading`` is whether a writer has shown itself within the last moments."""

    leading: bool
    epoch: int
    seq: int
    generation: int
    inbox_entries: int
    alarm: str


@dataclass(frozen=True, slots=True)
class CommandRate:
    """How many commands in a stretch of time, and the most within one second."""

    commands: int
    busiest: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """Of so many commands so many were refused, and for what most."""

    commands: int
    refused: int
    reasons: list[tuple[str, int]]


def projected_seq() -> int:
    """Return the last command that the projections have seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq FROM matching_projection_offset WHERE shard = %s",
            (settings.MATCHING_SHARD,),
        )
        row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def journaled_seq() -> int:
    """Return the last command that is in the journal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(last_seq) FROM matching_journal WHERE shard = %s",
            (settings.MATCHING_SHARD,),
        )
        row = cursor.fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def wait_for_seq(seq: int, timeout_seconds: float = 2.0) -> bool:
    """Wait, bounded, until what ``seq`` did can be read; return whether it can."""
    give_up_at = time.monotonic() + timeout_seconds
    pause_seconds = 0.002
    while projected_seq() < seq:
        left_seconds = give_up_at - time.monotonic()
        if left_seconds <= 0:
            return False
        time.sleep(min(pause_seconds, left_seconds))
        pause_seconds = min(pause_seconds * 2, 0.025)
    return True


def command_rate(*, now: datetime, window: timedelta) -> CommandRate:
    """Return how many commands of anybody were carried out in the last while, by the journal."""
    until_ns = int(now.timestamp() * 1_000_000) * 1_000
    since_ns = until_ns - window // timedelta(microseconds=1) * 1_000
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(commands), 0)::bigint, coalesce(max(commands), 0)::bigint
            FROM (
                SELECT sum(last_seq - first_seq + 1) AS commands
                FROM (
                    SELECT first_seq, last_seq, at_ns FROM matching_journal WHERE shard = %s
                    ORDER BY last_seq DESC LIMIT %s
                ) AS newest
                WHERE at_ns > %s AND at_ns <= %s GROUP BY at_ns / 1000000000
            ) AS each_second
            """,
            (settings.MATCHING_SHARD, RATE_ROWS_MAX, since_ns, until_ns),
        )
        commands, busiest = cursor.fetchone()
    return CommandRate(int(commands), int(busiest))


def recent_refusals(*, now: datetime, window: timedelta) -> Refusals:
    """Return what of the newest commands was refused, in the last while and so many at most."""
    since_ns = int((now - window).timestamp() * 1_000_000) * 1_000
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT events FROM (
                SELECT events, at_ns, sum(last_seq - first_seq + 1) OVER (ORDER BY last_seq DESC)
                    AS commands
                FROM (
                    SELECT * FROM matching_journal WHERE shard = %s
                    ORDER BY last_seq DESC LIMIT %s
                ) AS newest
            ) AS counted WHERE at_ns > %s AND commands <= %s
            """,
            (settings.MATCHING_SHARD, REFUSAL_ROWS_MAX, since_ns, REFUSAL_COMMANDS_MAX),
        )
        rows = cursor.fetchall()
    commands, reasons = 0, Counter[str]()
    for (events,) in rows:
        for group in journal.events_of(bytes(events)):
            for each in group:
                commands += 1
                reasons.update(event.reason for event in each if isinstance(event, Rejected))
    return Refusals(commands, reasons.total(), reasons.most_common(REASONS_SHOWN))


def newest_snapshot() -> tuple[int, datetime] | None:
    """Return the seq of the newest snapshot and when it was taken."""
    rows = Snapshot.objects.filter(shard=settings.MATCHING_SHARD).order_by("-seq")
    return rows.values_list("seq", "created_at").first()


def projector_lag() -> ProjectorLag:
    """Return how far the projections are behind the journal."""
    reached = projected_seq()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at_ns FROM matching_journal WHERE shard = %s AND last_seq > %s"
            " ORDER BY last_seq LIMIT 1",
            (settings.MATCHING_SHARD, reached),
        )
        row = cursor.fetchone()
    if row is None:
        return ProjectorLag(0, 0.0)
    return ProjectorLag(journaled_seq() - reached, max(0.0, (time.time_ns() - row[0]) / 1e9))


def engine_health() -> EngineHealth:
    """Return what the writer last said of itself. Raises ``RedisError`` without Valkey."""
    shard = settings.MATCHING_SHARD
    # The client has no decode_responses: values are bytes.
    said, alarm = cast("list[bytes | None]", client().mget(_said_keys(shard)))
    generation, epoch, seq, _ = (said or b"0:0:0:0").split(b":")
    return EngineHealth(
        leading=said is not None,
        epoch=int(epoch),
        seq=int(seq),
        generation=int(generation),
        inbox_entries=int(client().xlen(wire.stream_key(shard, int(generation)))),
        alarm=(alarm or b"").decode(),
    )


def _said_keys(shard: int) -> list[str]:
    return [wire.leader_key(shard), wire.alarm_key(shard)]
