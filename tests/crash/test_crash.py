"""Writer, database and Valkey are killed under load; the clients' own logs are the oracle."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.campaign import NEVER
from tests.crash.load import Load, engine_clients
from tests.crash.world import World

CLIENTS = 3
ANSWERS = 25
WRITER_KILLS = 5
DATABASE_KILLS = 3
# Longer than the lease lasts, so that somebody else writes by the time it wakes up.
FROZEN_SECONDS = 3.0


@pytest.fixture
def world(server_folder: Path, free_port: Callable[[], int]) -> Iterator[World]:
    made = World(server_folder, free_port(), free_port())
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def load(world: World) -> Iterator[Load]:
    opened = world.run("tests.crash.opening", str(CLIENTS))
    assert opened.returncode == 0, opened.stderr + world.tail_of_logs()
    made = Load(world, engine_clients(CLIENTS))
    yield made
    made.kill()


@pytest.mark.crash
@pytest.mark.slow
def test_nothing_acknowledged_is_lost_doubled_or_changed(world: World, load: Load) -> None:
    load.make_progress(ANSWERS)

    for _ in range(WRITER_KILLS):
        world.writer().process.kill()
        load.make_progress(ANSWERS)

    frozen = world.writer()
    zombie = frozen.process
    zombie.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN_SECONDS)
    load.make_progress(ANSWERS)
    assert world.writer().pid != zombie.pid
    zombie.send_signal(signal.SIGCONT)
    assert zombie.wait(10) == 70

    for _ in range(DATABASE_KILLS):
        world.postgres.kill()
        world.postgres.start()
        load.make_progress(ANSWERS)

    world.valkey.kill()
    world.valkey.start()
    load.make_progress(ANSWERS)
    load.stop()

    said = world.run("tests.crash.oracle", *map(str, load.logs))
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["accepted"] + found["late"] == found["told"] == found["sent"]
    assert found["accepted"] >= (WRITER_KILLS + DATABASE_KILLS + 3) * ANSWERS * CLIENTS
    assert {name: found[name] for name in NEVER} == {name: [] for name in NEVER}
    assert found["refused"] == {}
    _everything_agrees(world)


def _everything_agrees(world: World) -> None:
    """The projector catches up by itself; two replays, one from a snapshot, give one hash."""
    waited = world.run("tests.crash.settled")
    assert waited.returncode == 0, waited.stderr + world.tail_of_logs()
    checks = [world.run("manage", "verify", seed=seed) for seed in ("1", "2")]
    for check in checks:
        assert check.returncode == 0, check.stdout + check.stderr
    hashes = {line for check in checks for line in check.stdout.splitlines() if "hash" in line}
    hashes.discard("")
    assert len({line for line in hashes if "state hash at" in line}) == 1
    assert f"state hash at {waited.stdout.strip()}" in checks[0].stdout
