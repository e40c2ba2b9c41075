"""Coming back: replay of a million commands, a snapshot and its tail, and a killed writer.

The journal is written by the same statement as in life, from the flow of ``bench.flow``, in rows of
500 commands. Replay reads it from PostgreSQL, checks chain and hashes, and compares every event
byte. The kill is a SIGKILL of the worker that leads, with a standby beside it; the time runs until
a client has the durable answer to its next order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from bench import _services
from bench.report import Result

COMMANDS = 1_000_000
TAIL_COMMANDS = 100_000
KILLS = 3
STANDBY_SECONDS_MAX = 60.0


def run() -> Iterator[Result]:
    with _services.running() as services:
        services.run("bench._journal", COMMANDS, TAIL_COMMANDS)
        found = json.loads(services.run("bench._replay"))
        commands, seconds = found["commands"], found["full_seconds"]
        yield Result("recovery", f"replay of {commands:,} commands", seconds, "s", 10.0, "lower")
        yield Result("recovery", "replay", commands / seconds, "commands/s")
        tail = f"snapshot and {found['tail_commands']:,} commands"
        yield Result("recovery", tail, found["tail_seconds"], "s")
        yield Result("recovery", "snapshot", found["snapshot_bytes"] / 1e6, "MB")
        worst = max(_failovers(services))
        metric = f"kill -9 to next answered order, worst of {KILLS}"
        yield Result("recovery", metric, worst, "s", 2.0, "lower")


def _failovers(services: _services.Services) -> Iterator[float]:
    services.start_worker("a")
    _wait_for_standby(services, "a")
    for number in range(KILLS):
        letter = chr(ord("b") + number)
        services.start_worker(letter)
        _wait_for_standby(services, letter)
        yield float(services.run("bench._failover"))


def _wait_for_standby(services: _services.Services, letter: str) -> None:
    give_up_at = time.monotonic() + STANDBY_SECONDS_MAX
    while "Standing by for shard 0" not in services.log(letter):
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"The standby does not get ready:\n{services.log(letter)}")
        time.sleep(0.05)
