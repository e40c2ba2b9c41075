"""Starts everything in order, keeps it running, and ends all of it when it is asked to.

It knows how to start and to stop; what runs is in ``plan``, how one process behaves in ``child``.
It does no business of its own and touches neither tables nor streams.
"""

from __future__ import annotations

import asyncio
import http.client
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.local.child import Child, ServerChild
from apps.local.folder import DataFolder
from apps.local.guard import Guard
from apps.local.output import Terminal
from apps.local.plan import Process
from apps.local.problems import LocalProblem
from apps.local.server import HOST, Server

READY_POLL_SECONDS = 0.1
READY_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Embedded:
    """A server of our own. ``title`` is what people read, with version and address."""

    name: str
    title: str
    server: Server


class Supervisor:
    def __init__(
        self,
        *,
        folder: DataFolder,
        base_dir: Path,
        servers: Sequence[Embedded],
        processes: Sequence[Process],
        environment: Mapping[str, str],
        port: int,
        terminal: Terminal,
        guard: Guard,
        on_job_done: Callable[[str], None],
        farewell: str = "",
    ) -> None:
        self._folder = folder
        self._terminal = terminal
        self._port = port
        self._site_url = f"http://{HOST}:{port}"
        self._farewell = farewell
        self._on_job_done = on_job_done
        self._began = time.monotonic()
        self._stop_asked = asyncio.Event()
        self._signals_seen = 0
        self._servers = [
            ServerChild(each.name, each.server, terminal, self._teller(each.title))
            for each in servers
        ]
        self._children = [
            Child(
                process,
                environment,
                base_dir,
                folder.logs / f"{process.name}.log",
                terminal,
                guard,
            )
            for process in processes
        ]

    async def run(self) -> None:
        """Return after a clean stop that was asked for; raise what keeps it from running."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)
        tasks: list[asyncio.Future[None]] = []
        tasks += [asyncio.ensure_future(server.run()) for server in self._servers]
        tasks += [asyncio.ensure_future(self._keep_child(child)) for child in self._children]
        tasks.append(asyncio.ensure_future(self._announce()))
        tasks.append(asyncio.ensure_future(self._note_processes()))
        try:
            await self._until_stop_or_failure(tasks)
        finally:
            await self._stop_everything()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_stop_or_failure(self, tasks: list[asyncio.Future[None]]) -> None:
        pending = {asyncio.ensure_future(self._stop_wanted()), *tasks}
        while not self._stop_asked.is_set():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _stop_wanted(self) -> None:
        await self._stop_asked.wait()

    async def _keep_child(self, child: Child) -> None:
        for server in self._servers:
            await server.ready.wait()
        before = [other for other in self._children if other.name in child.process.after]
        for other in before:
            await other.ready.wait()
        if self._stop_asked.is_set():
            return
        began = time.monotonic()
        if child.process.once:
            self._terminal.say(f"  {_JOBS.get(child.name, child.name)} …")
        await child.run()
        if child.process.once and child.ready.is_set():
            self._on_job_done(child.name)
            self._terminal.say(
                f"  {_JOBS.get(child.name, child.name)}: {time.monotonic() - began:.1f} s"
            )

    async def _announce(self) -> None:
        """Say that the site is ready when it says so itself, and only then."""
        jobs = [child for child in self._children if child.process.once]
        for job in jobs:
            await job.ready.wait()
        names = [child.name for child in self._children if not child.process.once]
        if "web" not in names:
            self._say_running(names)
            return
        told_at = time.monotonic()
        while not await asyncio.to_thread(_answers, self._port):
            if time.monotonic() - told_at > READY_PATIENCE_SECONDS:
                told_at = time.monotonic()
                self._terminal.say(
                    f"  The site does not say that it is ready yet: see {self._site_url}/readyz "
                    f"and {self._folder.logs}"
                )
            await asyncio.sleep(READY_POLL_SECONDS)
        self._terminal.say(f"Ready: {self._site_url}")
        self._say_running(names)

    def _say_running(self, names: list[str]) -> None:
        running = [server.name for server in self._servers] + names
        self._terminal.say(f"Running since {time.monotonic() - self._began:.1f} s after the start:")
        self._terminal.say(f"  {', '.join(running)}")
        self._terminal.say(f"  Logs: {self._folder.logs}")
        if self._farewell:
            self._terminal.say(self._farewell)
        self._terminal.say("Ctrl-C stops it; what was done is kept.")

    async def _note_processes(self) -> None:
        """Keep the list of what runs, for a next start that finds nobody to end it."""
        noted: dict[str, int] = {}
        while True:
            running = {child.name: child.pid for child in self._children if child.pid}
            if running != noted:
                self._folder.note_processes(running)
                noted = running
            await asyncio.sleep(0.2)

    async def _stop_everything(self) -> None:
        self._stop_asked.set()
        for wave in sorted({child.process.wave for child in self._children}, reverse=True):
            members = [child for child in self._children if child.process.wave == wave]
            await asyncio.gather(*(child.stop() for child in members))
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _signalled(self) -> None:
        self._signals_seen += 1
        if self._signals_seen == 1:
            self._terminal.say("\nStopping … (once more kills everything at once)")
            self._stop_asked.set()
        else:
            for child in self._children:
                child.kill()
            for server in self._servers:
                server.kill()

    def _teller(self, title: str) -> Callable[[float], Awaitable[None]]:
        async def tell(seconds: float) -> None:
            self._terminal.say(f"  {title}: {seconds:.1f} s")

        return tell


_JOBS = {
    "tables": "Tables",
    "static": "Static files",
    "demo": "Demo world: markets, people, history of prices",
}


def _answers(port: int) -> bool:
    # Not urllib: it would ask a proxy that the environment names.
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def supervise(supervisor: Supervisor, terminal: Terminal) -> int:
    """Run it to its end and return the exit code."""
    try:
        asyncio.run(supervisor.run())
    except LocalProblem as problem:
        terminal.say(f"\n{problem}")
        return 1
    terminal.say("Stopped.")
    return 0
