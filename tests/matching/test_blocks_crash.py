"""kill -9 of the writer while legs enter and while a slice is allotted: nothing lost or doubled.

Writers are processes of their own: one leads, the others stand by. Who leads dies at one of the
places between the engine's decision and its answer, when it has carried out so many commands of a
kind; the next one goes on, and dies at the next place, until the last one.
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
from django.db import connections

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

kind, most, points = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
attempt, done, leads = writer.Writer._attempt, [], []

def attempt_and_count(self, requests):
    found = attempt(self, requests)
    done.extend(c for r in requests for c in r.commands if type(c).__name__ == kind)
    leads[:] = [self._lease.epoch]
    return found

def reach(name):
    # The first to lead dies at the first place, the second at the second; then nobody.
    mine = points[leads[0] - 1 : leads[0]] if leads else []
    if name in mine and len(done) >= most:
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


@contextmanager
def writers(kind: str, most: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """One for each place to die at, and one that is left over."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, kind, str(most), *POINTS],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        )
        for _ in range(len(POINTS) + 1)
    ]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.wait(15)


@contextmanager
def projecting() -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        try:
            Projector(stop).run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
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
        assert [each.poll() for each in running].count(-signal.SIGKILL) == len(POINTS)

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
