"""A tiny process that ends ours when we are gone, however we went: no orphan survives a kill -9.

It knows process groups, not programs. It holds the reading end of a pipe whose only writer is the
process that it guards; when the pipe closes, it stops every group that it still knows. Run as a
script in a bare interpreter, so it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

GRACE_SECONDS = 12.0


class Guard:
    """Our side of it: says which process groups are to end together with this process."""

    def __init__(self, *, keep_open: tuple[int, ...] = ()) -> None:
        self._keep_open = keep_open
        self._signals: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> int:
        """Start the guard process before it is needed, and return its id."""
        with self._lock:
            if self._process is None:
                self._start()
            assert self._process is not None
            return self._process.pid

    def watch(self, group_id: int, stop_signal: int) -> None:
        """From now on the group gets the signal, and later SIGKILL, once this process is gone."""
        with self._lock:
            self._signals[group_id] = stop_signal
            self._tell(f"watch {group_id} {stop_signal}\n")

    def forget(self, group_id: int) -> None:
        """The group has ended; its number may soon belong to somebody else."""
        with self._lock:
            if self._signals.pop(group_id, None) is not None:
                self._tell(f"forget {group_id}\n")

    def close(self) -> None:
        """Let the guard go, after which it stops whatever it still knows."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process.wait()
                self._process = None

    def _tell(self, line: str) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            self._start()
            return
        assert process.stdin is not None
        try:
            process.stdin.write(line.encode())
            process.stdin.flush()
        except BrokenPipeError:
            self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
            pass_fds=self._keep_open,
        )
        assert self._process.stdin is not None
        known = "".join(f"watch {group} {number}\n" for group, number in self._signals.items())
        self._process.stdin.write(known.encode())
        self._process.stdin.flush()


def _stand_guard() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        verb, group, *rest = line.split()
        if verb == "watch":
            groups[int(group)] = int(rest[0])
        else:
            groups.pop(int(group), None)
    _end(groups)


def _end(groups: dict[int, int]) -> None:
    alive = {group for group, number in groups.items() if _send(group, number)}
    deadline = time.monotonic() + GRACE_SECONDS
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = {group for group in alive if _send(group, 0)}
    for group in alive:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: every member is a zombie.
        return False
    return True


if __name__ == "__main__":
    _stand_guard()
