"""The supervisor: order, restarts with back-off, a clean stop, and never an orphan."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import psutil
import pytest

pytestmark = pytest.mark.crash

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0


class Running:
    """A supervisor in a process of its own, and what it has said so far."""

    def __init__(self, folder: Path, processes: list[dict[str, object]], mode: str) -> None:
        self.folder = folder
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.local.supervised"),
                *(str(folder), mode, json.dumps(processes)),
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match in a line that comes from now on."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.1)
            except Empty:
                continue
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"{pattern!r} was not said in: {self.said}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.exit_code()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            self._lines.put(line.rstrip())


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Running] = []

    def start(*processes: dict[str, object], mode: str = "verbose") -> Running:
        running = Running(tmp_path / "data", list(processes), mode)
        begun.append(running)
        return running

    yield start
    for running in begun:
        running.close()


def forever(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "script": 'echo "pid $$"; exec sleep 60', **more}


def test_what_depends_on_a_job_starts_after_it(start: Start) -> None:
    running = start(
        {"name": "job", "script": "sleep 0.3; echo worked", "once": True},
        forever("late", after=["job"]),
    )

    running.wait_for(r"late +\| pid")

    assert running.end() == 0
    order = [line for line in running.said if re.search("worked|done job|pid", line)]
    assert [line.split("| ")[-1].split(" ")[0] for line in order] == ["worked", "done", "pid"]


def test_who_dies_is_started_again(start: Start) -> None:
    running = start(forever("web"))
    first = int(running.wait_for(r"\| pid (\d+)")[1])

    os.kill(first, signal.SIGKILL)

    running.wait_for(r"web was ended by SIGKILL; starting it again in 0\.25 s")
    second = int(running.wait_for(r"\| pid (\d+)")[1])
    assert second != first
    assert psutil.pid_exists(second)


def test_who_dies_again_and_again_is_started_ever_more_slowly(start: Start) -> None:
    running = start({"name": "web", "script": "echo cannot go on; exit 3"}, mode="quiet")

    pauses = [
        float(running.wait_for(r"web ended with code 3; starting it again in ([\d.]+) s")[1])
        for _ in range(4)
    ]

    assert pauses == [0.25, 0.5, 1.0, 2.0]
    assert running.end() == 0
    assert "    cannot go on" in running.said


def test_a_job_that_keeps_failing_stops_everything_and_is_quoted(start: Start) -> None:
    running = start(
        forever("web"), {"name": "prepare", "script": "echo no table; exit 2", "once": True}
    )
    web = int(running.wait_for(r"\| pid (\d+)")[1])

    assert running.exit_code() == 1
    text = "\n".join(running.said)
    assert "prepare ended with code 2 4 times. It said last:\n    no table" in text
    assert _ends(web)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_of_it_faces_first(start: Start, number: int) -> None:
    script = "trap 'echo {0} stops; exit 0' TERM; echo \"pid $$\"; while :; do sleep 0.05; done"
    running = start(
        {"name": "engine", "script": script.format("engine"), "wave": 0},
        {"name": "web", "script": script.format("web"), "wave": 1},
    )
    pids = [int(running.wait_for(r"\| pid (\d+)")[1]) for _ in range(2)]

    assert running.end(number) == 0

    stopped = [line.split("| ")[1] for line in running.said if line.endswith(" stops")]
    assert stopped == ["web stops", "engine stops"]
    assert running.said[-1] == "Stopped."
    assert all(_ends(pid) for pid in pids)


def test_who_does_not_stop_is_killed_with_his_children(start: Start) -> None:
    script = "trap '' TERM; sleep 60 & echo \"pid $$ child $!\"; while :; do sleep 0.05; done"
    running = start({"name": "stubborn", "script": script})
    found = running.wait_for(r"\| pid (\d+) child (\d+)")

    assert running.end() == 0

    assert "stubborn does not end; killing it." in running.said
    assert all(_ends(int(pid)) for pid in found.groups())


def test_a_child_left_behind_ends_with_its_parent(start: Start) -> None:
    script = 'sleep 60 & echo "child $!"; sleep 0.2; exit 1'
    running = start({"name": "pool", "script": script})
    left = int(running.wait_for(r"\| child (\d+)")[1])

    running.wait_for("starting it again")

    assert _ends(left)


def test_a_second_signal_kills_at_once(start: Start) -> None:
    script = "trap '' TERM; echo \"pid $$\"; while :; do sleep 0.05; done"
    running = start({"name": "stubborn", "script": script})
    running.wait_for(r"\| pid (\d+)")

    running.process.send_signal(signal.SIGINT)
    running.wait_for("Stopping")
    assert running.end(signal.SIGINT) == 0

    assert "stubborn does not end; killing it." not in running.said


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_waits_for_that(
    start: Start,
) -> None:
    slow = "trap 'sleep 0.5; exit 0' TERM; echo \"pid $$\"; while :; do sleep 0.05; done"
    killed = start({"name": "web", "script": slow})
    left = int(killed.wait_for(r"\| pid (\d+)")[1])

    killed.end(signal.SIGKILL)
    successor = start(forever("web"))
    successor.wait_for(r"\| pid (\d+)")

    assert _ends(left)
    assert successor.end() == 0


def test_the_next_start_ends_what_a_killed_guard_could_not(start: Start) -> None:
    killed = start(forever("web"))
    guard = int(killed.wait_for(r"guard (\d+)")[1])
    left = int(killed.wait_for(r"\| pid (\d+)")[1])
    _wait_until_noted(killed.folder, left)

    os.kill(guard, signal.SIGKILL)
    killed.end(signal.SIGKILL)
    assert _runs(left)
    successor = start(forever("web"))
    successor.wait_for(r"\| pid (\d+)")

    assert _ends(left)
    assert successor.end() == 0


def test_everything_they_say_is_kept_in_files(start: Start, tmp_path: Path) -> None:
    running = start({"name": "talker", "script": "printf 'one\\ntwo'; exec sleep 60"})
    running.wait_for(r"\| one")

    assert running.end() == 0

    assert (tmp_path / "data" / "logs" / "talker.log").read_text() == "one\ntwo"


def _wait_until_noted(folder: Path, pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        path = folder / "run" / "processes"
        if path.exists() and str(pid) in path.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} was not noted")


def _ends(pid: int) -> bool:
    """Return whether it is gone or goes now: a signal takes a moment to do its work."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _runs(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
