"""The data folder: one running copy at a time, its secrets, its marks, and what a killed one left.

It refuses a folder that is not ours, so that a slip of the finger never fills somebody's home.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from apps.local.problems import DataFolderProblem, DiskFull
from apps.local.server import keep_secret

MARK = "sum1-data"
FORMAT = "1"
FREE_BYTES_MIN = 300_000_000
# A guard ends what a killed copy left; it takes this long at most.
LEFTOVER_SECONDS = 20.0


class DataFolder:
    """``open()`` before anything else, ``close()`` at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.run = path / "run"
        self._lock: int | None = None

    @property
    def lock_descriptor(self) -> int:
        assert self._lock is not None
        return self._lock

    def open(self) -> None:
        """Make the folder or recognise it, check the disk, and take the lock."""
        self._refuse_foreign()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_full_disk()
            # Marked before anything else is in it, so that the next start knows the folder of one
            # that was broken off.
            mark = self.path / MARK
            if not mark.exists():
                mark.write_text(f"{FORMAT}\n")
            for folder in (self.logs, self.run):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise DataFolderProblem(
                f"The data folder {self.path} cannot be made: {error.strerror}. Choose another: "
                "make up DATA_DIR=/some/place"
            ) from None
        self._take_lock()
        self._end_leftovers()

    def close(self) -> None:
        if self._lock is not None:
            for name in ("environment", "processes"):
                (self.run / name).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str, *, size_bytes: int = 48) -> str:
        """Return a secret of this folder, made the first time it is asked for."""
        path = self.path / "secrets" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            keep_secret(path, secrets.token_urlsafe(size_bytes))
        return path.read_text()

    def tell_others(self, environment: Mapping[str, str]) -> None:
        """Write down where the servers are, for `manage.py` in another terminal."""
        lines = "".join(f"{name}={value}\n" for name, value in environment.items())
        keep_secret(self.run / "environment", lines)

    def note_processes(self, pids: Mapping[str, int]) -> None:
        """Remember what runs, in case nobody is left to end it."""
        found = {}
        for name, pid in pids.items():
            try:
                found[name] = [pid, psutil.Process(pid).create_time()]
            except psutil.NoSuchProcess:
                continue
        fresh = self.run / "processes.new"
        fresh.write_text(json.dumps(found))
        fresh.replace(self.run / "processes")

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise DataFolderProblem(f"DATA_DIR {self.path} is a file, not a folder.")
        mark = self.path / MARK
        if mark.exists():
            if mark.read_text().strip() != FORMAT:
                raise DataFolderProblem(
                    f"The data folder {self.path} was made by another version of SUM+1, or is "
                    "damaged. Use that version, or choose another DATA_DIR."
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise DataFolderProblem(
                f"{self.path} is not empty and is not a data folder of SUM+1. Nothing was touched. "
                "Choose an empty or a new folder: make up DATA_DIR=/some/place"
            )

    def _refuse_full_disk(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < FREE_BYTES_MIN:
            raise DiskFull(
                f"Only {free // 1_000_000} MB are free where {self.path} is; "
                f"{FREE_BYTES_MIN // 1_000_000} MB are needed. Free some space, or choose another "
                "DATA_DIR."
            )

    def _take_lock(self) -> None:
        path = self.run / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode().strip()
                # A guard that still ends what a killed copy left holds the lock on its behalf.
                if _alive(holder) or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DataFolderProblem(
                        f"The data folder {self.path} is in use by another running copy (process "
                        f"{holder or 'unknown'}). Stop that one, or give this one its own folder "
                        "and port: make up PORT=8100 DATA_DIR=.data-8100"
                    ) from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def _end_leftovers(self) -> None:
        """Kill what is still alive although both its supervisor and its guard were killed."""
        path = self.run / "processes"
        try:
            noted = json.loads(path.read_text())
        except (OSError, ValueError):
            return
        for pid, created in noted.values():
            try:
                process = psutil.Process(pid)
                if abs(process.create_time() - created) < 1:
                    os.killpg(pid, 9)
                    process.wait(5)
            except (psutil.Error, ProcessLookupError):
                continue
        path.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    return pid.isdigit() and psutil.pid_exists(int(pid))
