"""Servers and matching workers for the benches that need them: fresh, own ports, gone afterwards.

PostgreSQL runs with every safety on: what is measured is what is promised.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from apps.local.postgres import Postgres
from apps.local.problems import PortBusy
from apps.local.server import refuse_busy_port
from apps.local.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
PORTS = range(24_000, 25_900)
START_SECONDS = 60.0


class Services:
    """A migrated database and a Valkey, and the environment that points other processes there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", _free_port())
        self.valkey = Valkey(folder / "valkey", _free_port())
        self.environment: dict[str, str] = {}
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        # The web process looks for static files there; it need not find any.
        (self.folder / "data" / "static").mkdir(parents=True)
        self.postgres.start()
        self.valkey.start()
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.valkey.url(),
            "KEY_PREFIX": "bench:",
            "DATA_DIR": str(self.folder / "data"),
            "LOG_LEVEL": "INFO",
        }
        self.run("manage", "migrate", "--skip-checks", "--verbosity", "0")

    def run(self, module: str, *arguments: object) -> str:
        """Run a module in a process of its own; return what it prints."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def stop(self) -> None:
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGKILL)
            worker.wait()
        self.valkey.stop()
        self.postgres.stop()

    def start_worker(self, letter: str) -> subprocess.Popen[bytes]:
        """Start a matching worker as the Procfile has it."""
        log = (self.folder / f"matching-{letter}.log").open("ab")
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "matching"),
                *("-n", f"matching-{letter}@%h", "-P", "threads", "-c", "2"),
                *("--without-gossip", "--without-mingle", "--prefetch-multiplier", "1"),
                *("--loglevel", "INFO"),
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._workers.append(worker)
        return worker

    def log(self, letter: str) -> str:
        """What a worker has said."""
        return (self.folder / f"matching-{letter}.log").read_text()


@contextlib.contextmanager
def running() -> Iterator[Services]:
    """Servers for one bench."""
    folder = Path(tempfile.mkdtemp(prefix="sum1-bench-"))
    folder.chmod(0o711)
    services = Services(folder)
    try:
        services.start()
        yield services
    finally:
        services.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_leading() -> None:
    """Return when a writer has shown itself."""
    from apps.matching.queries import engine_health

    give_up_at = time.monotonic() + START_SECONDS
    while not engine_health()["leading"]:
        if time.monotonic() > give_up_at:
            raise RuntimeError("No matching worker leads.")
        time.sleep(0.02)


def _free_port() -> int:
    first = os.getpid() % len(PORTS)
    for step in range(len(PORTS)):
        port = PORTS[(first + step) % len(PORTS)]
        if port in _given:
            continue
        try:
            refuse_busy_port(port, "a bench")
        except PortBusy:
            continue
        _given.add(port)
        return port
    raise RuntimeError("No free port for a bench.")


_given: set[int] = set()
