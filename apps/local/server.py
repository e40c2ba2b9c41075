"""One embedded server process: start, readiness, stop, kill, and what a dead predecessor left.

Knows nothing of Django, nor of what the servers are for. The log goes straight to a file, so that
a server never waits for somebody to read its output.
"""

from __future__ import annotations

import abc
import atexit
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil

from apps.local.guard import Guard
from apps.local.problems import DiskFull, LocalProblem, PortBusy, StartFailed

HOST = "127.0.0.1"
LOG_BYTES_MAX = 10_000_000
PORT_MAX = 65_535

_guard = Guard()
atexit.register(_guard.close)


class Server(abc.ABC):
    """Base of the launchers. ``directory`` is the server's own and survives restarts."""

    title = "server"
    stop_signal = signal.SIGTERM
    start_seconds = 30.0
    stop_seconds = 30.0
    # A predecessor that was killed may hold on for some seconds; these words in the log mean that.
    passing_troubles: tuple[str, ...] = ()

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        log_path: Path | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.log_path = log_path or self.directory / "server.log"
        self._guard = guard or _guard
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the folder and what the server needs in it; cheap when it is there already."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the program and its arguments."""

    @abc.abstractmethod
    def answers(self) -> bool:
        """Return whether the server takes requests, with our password."""

    @abc.abstractmethod
    def pid_file(self) -> Path:
        """Return the file in which the server itself notes its process id."""

    @abc.abstractmethod
    def url(self) -> str:
        """Return the address with the password in it."""

    def drop(self) -> dict[str, object]:
        """Arguments of Popen that give up root, where the server must not have it."""
        return {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return when it answers; a LocalProblem says why it cannot."""
        self.prepare()
        self.end_leftover()
        refuse_busy_port(self.port, self.title)
        deadline = time.monotonic() + self.start_seconds
        while True:
            log_offset = self._launch()
            if self._wait_until_it_answers(deadline):
                return
            said = self._log_since(log_offset)
            if not any(words in said for words in self.passing_troubles):
                raise self._explained(said)
            if time.monotonic() > deadline:
                raise self._explained(said)
            time.sleep(0.3)

    def stop(self) -> None:
        """End it cleanly; kill it where it does not end in time."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._ended()

    def kill(self) -> None:
        """Pull the plug: SIGKILL to the server and to all its children."""
        if self._process is None:
            return
        try:
            family = psutil.Process(self._process.pid)
            members = [family, *family.children(recursive=True)]
        except psutil.NoSuchProcess:
            members = []
        for member in members:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        psutil.wait_procs(members, timeout=5)
        self._ended()

    def end_leftover(self) -> None:
        """Stop the server of this very folder that a killed predecessor left running."""
        try:
            pid = int(self.pid_file().read_text().split()[0])
            process = psutil.Process(pid)
            if not self._is_ours(process):
                return
            process.send_signal(self.stop_signal)
            process.wait(self.stop_seconds)
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def secret(self) -> str:
        """The password of this server, made once and kept in its folder for the owner alone."""
        path = self.directory / "password"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            keep_secret(path, secrets.token_urlsafe(24))
        return path.read_text()

    def _is_ours(self, process: psutil.Process) -> bool:
        return any(str(self.directory) in part for part in process.cmdline())

    def _launch(self) -> int:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("ab") as log:
            offset = log.tell()
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"LC_ALL": "C", "LANG": "C", "PATH": "/usr/bin:/bin"},
                process_group=0,
                **self.drop(),  # type: ignore[call-overload]
            )
        self._guard.watch(self._process.pid, self.stop_signal)
        return offset

    def _wait_until_it_answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._ended()
                return False
            if self.answers():
                return True
            time.sleep(0.02)
        self.kill()
        return False

    def _ended(self) -> None:
        if self._process is not None:
            self._guard.forget(self._process.pid)
            self._process = None

    def _log_since(self, offset: int) -> str:
        with self.log_path.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def _explained(self, said: str) -> LocalProblem:
        if "No space left on device" in said:
            return DiskFull(
                f"{self.title} could not start: the disk that holds {self.directory} is full. "
                "Free some space and start again; nothing is lost."
            )
        tail = "\n".join(f"    {line}" for line in said.strip().splitlines()[-12:])
        return StartFailed(
            f"{self.title} did not start. Its log ({self.log_path}) ends with:\n{tail}"
        )


def refuse_busy_port(port: int, title: str) -> None:
    """Raise PortBusy where somebody else already listens on the port, or nobody ever can."""
    if not 1 <= port <= PORT_MAX:
        raise LocalProblem(
            f"A port is a number from 1 to {PORT_MAX}, not {port}: make up PORT=8100"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortBusy(
                f"Port {port}, needed for {title}, is busy ({error.strerror}). Stop the program "
                "that uses it, or choose another port: make up PORT=8100"
            ) from None


def keep_secret(path: Path, value: str) -> None:
    """Write a file that only its owner can read; it is never there half written."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
