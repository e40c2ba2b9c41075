"""One running copy of SUM+1 for all browser tests, whichever worker runs them.

The first worker that needs it starts it, the last one that leaves stops it. It has its own port,
folder and servers, and the synthetic feed with its demo people.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.services import free_port, this_run

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO_PASSWORD = "sum1-demo-password"
PATIENCE_SECONDS = 240.0
STOP_SECONDS = 60.0
# What a person's shell gives, and nothing that the tests have put into theirs.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR")


@dataclass(frozen=True)
class Stack:
    """Where it is. ``log`` holds what the supervisor said."""

    url: str
    pid: int
    log: Path

    @property
    def mail(self) -> Path:
        """The folder of the letters that it has sent, one file each."""
        return self.log.parent / "mail"


# Copies that this very worker has started.
_ours: dict[int, subprocess.Popen[bytes]] = {}


@contextlib.contextmanager
def shared_stack() -> Iterator[Stack]:
    """Use the copy of this test run; it runs as long as anybody does."""
    folder = this_run().folder
    with _locked(folder):
        state = _read(folder)
        if not state:
            state = {"users": 0, **_start()}
        state["users"] += 1
        _write(folder, state)
    stack = Stack(state["url"], state["pid"], Path(state["log"]))
    try:
        _wait_until_ready(stack)
        yield stack
    finally:
        with _locked(folder):
            state = _read(folder)
            state["users"] -= 1
            if state["users"]:
                _write(folder, state)
            else:
                _stop(stack.pid)
                _state_file(folder).unlink()


def _start() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="sum1-browser-"))
    # The servers may run as another user, who has to be able to reach their folders.
    folder.chmod(0o711)
    port = free_port()
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    log = folder / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=REPOSITORY,
            env={
                **environment,
                "PORT": str(port),
                "DATA_DIR": str(folder / "data"),
                "EMAIL_URL": f"file:{folder / 'mail'}",
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _ours[process.pid] = process
    return {"url": f"http://127.0.0.1:{port}", "pid": process.pid, "log": str(log)}


def _wait_until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while f"Ready: {stack.url}" not in (said := stack.log.read_text(errors="replace")):
        assert _runs(stack.pid), said
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    with urlopen(f"{stack.url}/healthz", timeout=10) as answer:
        assert answer.status == 200


def _stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(pid), "The stack of the browser tests did not stop."


def _runs(pid: int) -> bool:
    if pid in _ours:
        return _ours[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The child of another worker stays a zombie until that one asks how it ended.
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _state_file(folder: Path) -> Path:
    return folder / "browser.json"


def _read(folder: Path) -> dict[str, Any]:
    file = _state_file(folder)
    return json.loads(file.read_text()) if file.exists() else {}


def _write(folder: Path, state: dict[str, Any]) -> None:
    _state_file(folder).write_text(json.dumps(state))
