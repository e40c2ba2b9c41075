"""Writer, database and Valkey are killed under load; the clients' own logs are the oracle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.world import ROOT, World

CLIENTS = 3
ANSWERS = 25
WRITER_KILLS = 5
DATABASE_KILLS = 3
# Longer than the lease lasts, so that somebody else writes by the time it wakes up.
FROZEN_SECONDS = 3.0
PROGRESS_SECONDS_MAX = 40.0


@pytest.fixture
def world(server_folder: Path, free_port: Callable[[], int]) -> Iterator[World]:
    made = World(server_folder, free_port(), free_port())
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Load:
    """Clients that send for as long as the test does its worst."""

    def __init__(self, world: World) -> None:
        self._stop_file = world.folder / "stop"
        self.logs = [world.folder / f"client-{number}.jsonl" for number in range(CLIENTS)]
        self._clients = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.crash.client", str(number), log, self._stop_file],
                cwd=ROOT,
                env=world.environment,
            )
            for number, log in enumerate(self.logs)
        ]

    def told(self) -> list[int]:
        """How many answers each client has."""
        return [log.read_bytes().count(b'"told"') if log.exists() else 0 for log in self.logs]

    def make_progress(self, world: World, answers: int = ANSWERS) -> None:
        """Return when every client has had so many more answers."""
        wanted = [count + answers for count in self.told()]
        give_up_at = time.monotonic() + PROGRESS_SECONDS_MAX
        while any(now < goal for now, goal in zip(self.told(), wanted, strict=True)):
            assert time.monotonic() < give_up_at, world.tail_of_logs()
            time.sleep(0.05)

    def stop(self) -> None:
        self._stop_file.touch()
        for client in self._clients:
            assert client.wait(PROGRESS_SECONDS_MAX) == 0

    def kill(self) -> None:
        for client in self._clients:
            client.kill()
            client.wait()


@pytest.fixture
def load(world: World) -> Iterator[Load]:
    opened = world.run("tests.crash.opening", str(CLIENTS))
    assert opened.returncode == 0, opened.stderr + world.tail_of_logs()
    made = Load(world)
    yield made
    made.kill()


@pytest.mark.crash
@pytest.mark.slow
def test_nothing_acknowledged_is_lost_doubled_or_changed(world: World, load: Load) -> None:
    load.make_progress(world)

    for _ in range(WRITER_KILLS):
        world.writer().process.kill()
        load.make_progress(world)

    frozen = world.writer()
    zombie = frozen.process
    zombie.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN_SECONDS)
    load.make_progress(world)
    assert world.writer().pid != zombie.pid
    zombie.send_signal(signal.SIGCONT)
    assert zombie.wait(10) == 70

    for _ in range(DATABASE_KILLS):
        world.postgres.kill()
        world.postgres.start()
        load.make_progress(world)

    world.valkey.kill()
    world.valkey.start()
    load.make_progress(world)
    load.stop()

    said = world.run("tests.crash.oracle", *map(str, load.logs))
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["accepted"] == found["told"] == found["sent"]
    assert found["accepted"] >= (WRITER_KILLS + DATABASE_KILLS + 3) * ANSWERS * CLIENTS
    wrong = {name: found[name] for name in ("lost", "doubled", "changed", "strangers", "refused")}
    assert wrong == {"lost": [], "doubled": [], "changed": [], "strangers": [], "refused": {}}
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
