"""The guard ends what its owner started, however the owner went."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.crash

REPOSITORY = Path(__file__).resolve().parents[2]
STARTER = """
import signal, subprocess, sys, time
from apps.local.guard import Guard
guard = Guard()
sleepers = [subprocess.Popen(["/bin/sh", "-c", "sleep 60 & wait"], process_group=0) for _ in "ab"]
for sleeper in sleepers:
    guard.watch(sleeper.pid, signal.SIGTERM)
if sys.argv[1] == "forget":
    guard.forget(sleepers[1].pid)
print(*(sleeper.pid for sleeper in sleepers), flush=True)
time.sleep(60)
"""


def test_a_killed_owner_takes_its_processes_and_their_children_along() -> None:
    starter, (first, second) = _start("watch")
    family = [*_family(first), *_family(second)]
    assert len(family) == 4

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_what_was_forgotten_is_left_alone() -> None:
    starter, (first, second) = _start("forget")

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    assert psutil.wait_procs([psutil.Process(first)], timeout=20)[1] == []
    assert psutil.pid_exists(second)
    for process in _family(second):
        process.kill()


def _start(mode: str) -> tuple[subprocess.Popen[str], tuple[int, int]]:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, mode], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    first, second = starter.stdout.readline().split()
    starter.stdout.close()
    return starter, (int(first), int(second))


def _family(pid: int) -> list[psutil.Process]:
    """The process and its child, which the shell may not have started yet."""
    deadline = time.monotonic() + 30
    process = psutil.Process(pid)
    while not process.children() and time.monotonic() < deadline:
        time.sleep(0.01)
    return [process, *process.children()]
