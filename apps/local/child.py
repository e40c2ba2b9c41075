"""One process under the supervisor: start, output, restart with back-off, stop with its family."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from apps.local.guard import Guard
from apps.local.output import LogFile, Terminal
from apps.local.plan import Process
from apps.local.problems import LocalProblem
from apps.local.server import Server

BACKOFF_FIRST_SECONDS = 0.25
BACKOFF_LAST_SECONDS = 15.0
# Whoever lived this long was well; the next restart is quick again.
HEALTHY_SECONDS = 20.0
STOP_SECONDS = 10.0
ATTEMPTS_OF_A_JOB = 4
LAST_LINES = 12
LINE_BYTES_MAX = 65_536
POLL_SECONDS = 0.05


class Backoff:
    """Waits longer from failure to failure, up to a bound."""

    def __init__(self) -> None:
        self._seconds = BACKOFF_FIRST_SECONDS
        self._started_at = time.monotonic()

    def started(self) -> None:
        self._started_at = time.monotonic()

    def next_seconds(self) -> float:
        if time.monotonic() - self._started_at > HEALTHY_SECONDS:
            self._seconds = BACKOFF_FIRST_SECONDS
        seconds = self._seconds
        self._seconds = min(BACKOFF_LAST_SECONDS, seconds * 2)
        return seconds


class Child:
    """A program. Its output is read here; it has a process group of its own."""

    def __init__(
        self,
        process: Process,
        environment: Mapping[str, str],
        folder: Path,
        log_path: Path,
        terminal: Terminal,
        guard: Guard,
    ) -> None:
        self.name = process.name
        self.process = process
        self.ready = asyncio.Event()
        self.restarts = 0
        self._environment = {**environment, **process.environment}
        self._folder = folder
        self._log = LogFile(log_path)
        self._terminal = terminal
        self._guard = guard
        self._running: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._told = False
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running is not None else None

    async def run(self) -> None:
        """Keep it running until it is stopped; a job is run until it succeeds."""
        backoff = Backoff()
        while not self._stopping:
            backoff.started()
            self._last_lines.clear()
            self._told = False
            code = await self._run_once()
            if self._stopping:
                break
            if self.process.once and code == 0:
                self.ready.set()
                break
            self.restarts += 1
            if self.process.once and self.restarts >= ATTEMPTS_OF_A_JOB:
                raise LocalProblem(self._failure(code))
            wait_seconds = backoff.next_seconds()
            # What the terminal has shown already is not said twice.
            words = "" if self._told else self._last_words(3)
            self._terminal.say(
                f"{self.name} {_how(code)}; starting it again in {wait_seconds:g} s.{words}"
            )
            await asyncio.sleep(wait_seconds)
        self._log.close()

    async def stop(self) -> None:
        """Ask it to end; kill it and its family where it does not."""
        self._stopping = True
        running = self._running
        if running is None:
            return
        _signal_group(running.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._idle.wait(), STOP_SECONDS)
        except TimeoutError:
            self._terminal.say(f"{self.name} does not end; killing it.")
            self.kill()
            await self._idle.wait()

    def kill(self) -> None:
        self._stopping = True
        if self._running is not None:
            _signal_group(self._running.pid, signal.SIGKILL)

    async def _run_once(self) -> int:
        self._idle.clear()
        self._running = running = subprocess.Popen(
            ["nice", "-n", str(self.process.nice), *self.process.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self._environment,
            process_group=0,
        )
        self._guard.watch(running.pid, signal.SIGTERM)
        if not self.process.once:
            self.ready.set()
        with _Pipe(running, self._take_output) as pipe:
            while running.poll() is None:
                await asyncio.sleep(POLL_SECONDS)
            # A pool or a beat of its own must not outlive it.
            _signal_group(running.pid, signal.SIGKILL)
            pipe.drain()
        self._guard.forget(running.pid)
        self._running = None
        self._idle.set()
        return running.returncode

    def _take_output(self, data: bytes) -> None:
        self._log.write(data)
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_BYTES_MAX:]
        for line in lines:
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._last_lines.append(text)
        self._told = self._terminal.line(self.name, text)

    def _last_words(self, count: int) -> str:
        said = [line for line in self._last_lines if line.strip()][-count:]
        return "".join(f"\n    {line}" for line in said)

    def _failure(self, code: int) -> str:
        words = self._last_words(LAST_LINES)
        return f"{self.name} {_how(code)} {self.restarts} times. It said last:{words}"


class _Pipe:
    """Reads the output of a process as it comes, without a thread.

    It does not wait for the end of the pipe, which a grandchild may keep open.
    """

    def __init__(self, running: subprocess.Popen[bytes], take: Callable[[bytes], None]) -> None:
        assert running.stdout is not None
        self._file = running.stdout
        self._take = take
        os.set_blocking(self._file.fileno(), False)

    def __enter__(self) -> _Pipe:
        asyncio.get_running_loop().add_reader(self._file.fileno(), self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._file.fileno())
        self._file.close()

    def drain(self) -> None:
        while self._read():
            continue

    def _read(self) -> bool:
        try:
            data = os.read(self._file.fileno(), 65_536)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._file.fileno())
            return False
        self._take(data)
        return True


class ServerChild:
    """An embedded server, watched from here; its launcher knows how to start and to stop it."""

    def __init__(
        self,
        name: str,
        server: Server,
        terminal: Terminal,
        started: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._server = server
        self._terminal = terminal
        self._started = started
        self._starting: asyncio.Future[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._server.pid

    async def run(self) -> None:
        """Keep it running. Only the first start may fail: later, what held it up may pass."""
        backoff = Backoff()
        while not self._stopping:
            began = time.monotonic()
            backoff.started()
            self._starting = asyncio.ensure_future(asyncio.to_thread(self._server.start))
            try:
                await asyncio.shield(self._starting)
            except LocalProblem as problem:
                if not self.ready.is_set():
                    raise
                self._terminal.say(str(problem))
            else:
                await self._started(time.monotonic() - began)
                self.ready.set()
                await self._watch()
            if self._stopping:
                break
            wait_seconds = backoff.next_seconds()
            self._terminal.say(f"{self.name} ended; starting it again in {wait_seconds:g} s.")
            await asyncio.sleep(wait_seconds)

    async def stop(self) -> None:
        self._stopping = True
        if self._starting is not None:
            # A start cannot be broken off half way; it ends by itself, and then there is a process.
            await asyncio.wait({self._starting})
        await asyncio.to_thread(self._server.stop)

    def kill(self) -> None:
        self._stopping = True
        self._server.kill()

    async def _watch(self) -> None:
        while self._server.running and not self._stopping:
            await asyncio.sleep(0.2)


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
