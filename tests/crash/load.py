"""Clients that send for as long as the test does its worst, and what their logs say meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from tests.crash.world import ROOT, World

PROGRESS_SECONDS_MAX = 180.0
TOLD_KEPT = 2_000


class Sender(NamedTuple):
    """A module that runs as ``MODULE NUMBER LOG STOP_FILE MORE…``."""

    name: str
    module: str
    number: int
    more: tuple[str, ...] = ()


def engine_clients(count: int, *more: str) -> list[Sender]:
    return [Sender(f"client-{n}", "tests.crash.client", n, more) for n in range(count)]


def duty() -> list[Sender]:
    """The background work, as a client: it takes seconds, so nobody else waits for its answers."""
    return [Sender("duty-0", "tests.crash.duties", 0)]


def http_clients(count: int, *more: str) -> list[Sender]:
    return [Sender(f"http-{n}", "tests.crash.http_client", n, more) for n in range(count)]


class Told:
    """The answers in one client's log, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._offset = 0
        # (asked, answered) of the newest.
        self.latest: deque[tuple[float, float]] = deque(maxlen=TOLD_KEPT)

    def read(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(self._offset)
            lines = log.read().split(b"\n")
        self._offset += sum(len(line) + 1 for line in lines[:-1])
        for line in lines[:-1]:
            if b'"told"' in line:
                found = json.loads(line)
                self.count += 1
                self.latest.append((found["asked_at"], found["at"]))

    def answered_at(self, after: float) -> float | None:
        """When the first question was answered that was asked after a moment."""
        times = (at for asked_at, at in self.latest if asked_at >= after)
        return next(times, None)


class Load:
    """Clients and their logs."""

    def __init__(self, world: World, senders: list[Sender]) -> None:
        self._world = world
        self._stop_file = world.folder / "stop"
        self.told = {each.name: Told(world.folder / f"{each.name}.jsonl") for each in senders}
        self._clients = [self._start(each) for each in senders]

    @property
    def logs(self) -> list[Path]:
        """Logs of those who send commands."""
        return [each.path for name, each in self.told.items() if not name.startswith("duty-")]

    def _start(self, sender: Sender) -> subprocess.Popen[bytes]:
        log = self.told[sender.name].path
        command = [sys.executable, "-m", sender.module, str(sender.number)]
        command += [str(log), str(self._stop_file)]
        with (self._world.folder / f"{sender.name}.log").open("ab") as said:
            return subprocess.Popen(
                [*command, *sender.more],
                cwd=ROOT,
                env=self._world.environment,
                stdout=said,
                stderr=said,
            )

    def read(self) -> None:
        for each in self.told.values():
            each.read()

    def make_progress(self, answers: int) -> None:
        """Return when everybody who sends commands has had so many more answers."""
        self.read()
        senders = {name: self.told[name] for name in self.told if not name.startswith("duty-")}
        wanted = {name: each.count + answers for name, each in senders.items()}
        give_up_at = time.monotonic() + PROGRESS_SECONDS_MAX
        while any(self.told[name].count < goal for name, goal in wanted.items()):
            assert time.monotonic() < give_up_at, self._world.tail_of_logs()
            time.sleep(0.05)
            self.read()

    def first_answer_after(self, moment: float, prefix: str) -> float | None:
        """How long after a moment a client of that name was answered what it asked since."""
        self.read()
        found = [
            at
            for name, each in self.told.items()
            if name.startswith(prefix) and (at := each.answered_at(moment)) is not None
        ]
        return min(found) - moment if found else None

    def stop(self) -> None:
        self._stop_file.touch()
        for client in self._clients:
            assert client.wait(PROGRESS_SECONDS_MAX) == 0, self._world.tail_of_logs()

    def kill(self) -> None:
        for client in self._clients:
            client.kill()
            client.wait()
