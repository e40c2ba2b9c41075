"""kill -9 of the writer while legs enter and while a slice is allotted: nothing lost or doubled.

The writer is a process of its own. It dies at one of the places between the engine's decision and
its answer, when it has carried out so many commands of a kind; the next one goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from apps.core.errors import Unavailable
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    AddLegs,
    Allotted,
    AnyCommand,
    AnyEvent,
    BlockClosed,
    BlockLeg,
    LegsAdded,
    OpenBlock,
    SubmitBlock,
    Terms,
)
from apps.matching import failpoints, projector
from apps.matching.gateway import Reply, new_command_id, valid_until_ns
from apps.matching.projector import Projector
from apps.matching.queries import projected_seq
from apps.matching.stream import StreamGateway
from apps.matching.verify import verify
from apps.trades import drift
from tests.matching.commands import ALICE, BOB, deposit, open_account, place, set_up
from tests.matching.watching import eventually, rows
from tests.trades.test_projection import rows as tables

WRITER = """
import os, signal, sys, threading
import django
django.setup()
from apps.matching import failpoints, host, writer

kind, most, point = sys.argv[1], int(sys.argv[2]), sys.argv[3]
attempt, done = writer.Writer._attempt, []

def attempt_and_count(self, requests):
    found = attempt(self, requests)
    done.extend(c for r in requests for c in r.commands if type(c).__name__ == kind)
    return found

def reach(name):
    if name == point and len(done) >= most:
        os.kill(os.getpid(), signal.SIGKILL)

writer.Writer._attempt = attempt_and_count
failpoints.reach = reach
host.run(threading.Event())
"""
POINTS = (
    failpoints.BEFORE_INSERT,
    failpoints.SENT_NOT_COMMITTED,
    failpoints.COMMITTED_NOT_ACKED,
)
FOLLOWERS = range(2_000, 3_200)
LEGS_PER_COMMAND = 100
PRICE = 6_000_000
SECONDS = 60.0


class Writers:
    """Starts the next writer as soon as one has been killed; the last one stays."""

    def __init__(self, kind: str, most: int) -> None:
        self.killed = 0
        self._rules = [(kind, most, point) for point in POINTS] + [("", 0, "never")]
        self._process = self._started()
        self._thread = threading.Thread(target=self._succeed, daemon=True)
        self._thread.start()

    def _started(self) -> subprocess.Popen[bytes]:
        kind, most, point = self._rules.pop(0)
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, kind, str(most), point],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        )

    def _succeed(self) -> None:
        while self._rules and self._process.wait() == -signal.SIGKILL:
            self.killed += 1
            self._process = self._started()

    def stop(self) -> None:
        self._rules.clear()
        self._process.kill()
        self._process.wait(15)
        self._thread.join(15)


@contextmanager
def writers(kind: str, most: int) -> Iterator[Writers]:
    running = Writers(kind, most)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def projecting() -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Projector(stop).run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def answered(gateway: StreamGateway, *commands: AnyCommand) -> list[Reply]:
    """Send until there is an answer: the same commands, under the same ids."""
    found: list[Reply] = []

    def sent() -> bool:
        fresh = [
            msgspec.structs.replace(each, valid_until_ns=valid_until_ns(5)) for each in commands
        ]
        try:
            found[:] = gateway.submit_many(fresh)
        except Unavailable:
            return False
        return True

    eventually(sent, SECONDS)
    return found


def events() -> list[AnyEvent]:
    return [e for row in rows() for entry in row.batch().entries for e in entry.events]


def enter(gateway: StreamGateway) -> list[Reply]:
    """A block of all followers, two lots each, leg by leg and in the market."""

    def head() -> tuple[bytes, int]:
        return new_command_id(), 0

    terms = Terms(1, BUY, LIMIT, GTC, 2, price_ticks=PRICE)
    replies = answered(gateway, OpenBlock(*head(), 7, ALICE, "lead", terms))
    for first in range(FOLLOWERS.start, FOLLOWERS.stop, LEGS_PER_COMMAND):
        legs = tuple(BlockLeg(each, 2) for each in range(first, first + LEGS_PER_COMMAND))
        replies += answered(gateway, AddLegs(*head(), 7, legs))
    return replies + answered(gateway, SubmitBlock(*head(), 7))


def fund_all(gateway: StreamGateway) -> None:
    eventually(lambda: bool(_set_up(gateway)), SECONDS)
    money = 4 * PRICE * 10
    for kind in (open_account, lambda each: deposit(each, 1, money)):
        commands = [kind(each) for each in FOLLOWERS]
        for start in range(0, len(commands), 400):
            answered(gateway, *commands[start : start + 400])


def _set_up(gateway: StreamGateway) -> list[Reply]:
    try:
        return set_up(gateway)
    except Unavailable:
        return []


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.needs_source
@pytest.mark.parametrize(("kind", "most"), [("AddLegs", 3), ("Allot", 1)])
def test_a_writer_killed_in_the_middle_of_a_block_loses_and_doubles_nothing(
    transactional_db: None, valkey: Any, stream_gateway: StreamGateway, kind: str, most: int
) -> None:
    with writers(kind, most) as running, projecting():
        fund_all(stream_gateway)
        entered = enter(stream_gateway)
        sold = answered(
            stream_gateway,
            place(BOB, "sold", side=SELL, lots=2 * len(FOLLOWERS) + 2, price_ticks=PRICE - 5),
        )
        eventually(lambda: any(isinstance(each, BlockClosed) for each in events()), SECONDS)
        last_seq = rows()[-1].last_seq
        eventually(lambda: projected_seq() >= last_seq, SECONDS)
        assert running.killed == len(POINTS)

    assert [reply.rejected for reply in (*entered, *sold) if reply.rejected is not None] == []
    found = events()
    joined = [leg for each in found if isinstance(each, LegsAdded) for leg in each.legs]
    assert Counter(leg.account_id for leg in joined) == Counter([ALICE, *FOLLOWERS])
    given: Counter[int] = Counter()
    for each in found:
        if isinstance(each, Allotted):
            given.update({fill.account_id: fill.lots for fill in each.fills})
    assert given == Counter(dict.fromkeys([ALICE, *FOLLOWERS], 2))
    assert verify(shard=0).differences == []
    assert drift.check() == []
    live = tables()
    projector.rebuild(shard=0)
    assert tables() == live
    assert verify(shard=0).differences == []
