"""The processes of the crash test: real servers, real workers, restarted as a supervisor would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg

from apps.local.postgres import Postgres
from apps.local.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent.parent
RESTART_SECONDS = 0.2


class Kept:
    """One process that is started again whenever it ends, until the world ends."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], log: Path
    ) -> None:
        self.name = name
        self.exits: list[int] = []
        self._command = command
        self._environment = environment
        self._log = log
        self._ending = threading.Event()
        self.process = self._start()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def again(self) -> Kept:
        return Kept(self.name, self._command, self._environment, self._log)

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> None:
        """Stop it cleanly, and for good."""
        self._ending.set()
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(5)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def _keep(self) -> None:
        while True:
            code = self.process.wait()
            if self._ending.wait(RESTART_SECONDS):
                return
            self.exits.append(code)
            self.process = self._start()


class World:
    """PostgreSQL and Valkey with every safety on, two matching workers, one projector."""

    def __init__(self, folder: Path, postgres_port: int, valkey_port: int) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", postgres_port)
        self.valkey = Valkey(folder / "valkey", valkey_port)
        self.kept: dict[str, Kept] = {}
        self.environment: dict[str, str] = {}
        self.more: dict[str, str] = {}

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.valkey.url(),
            "KEY_PREFIX": "crash:",
            "DATA_DIR": str(self.folder / "data"),
            "MATCHING_GATEWAY": "stream",
            **self.more,
        }
        self.run("manage", "migrate", "--skip-checks", "--verbosity", "0")
        self.keep("matching-a", *_worker("a"))
        self.keep("matching-b", *_worker("b"))
        self.keep("projector", "-m", "manage", "project")

    def stop(self) -> None:
        for kept in self.kept.values():
            kept.end()
        self.valkey.stop()
        self.postgres.stop()

    def keep_background(self) -> None:
        """Celery's other worker and its clock; the letters that it sends are in its log."""
        self.keep("worker", *_celery("worker", "-Q", "default,risk", "-n", "worker@%h", "-c", "4"))
        schedule = str(self.folder / "beat-schedule")
        self.keep("beat", "-m", "celery", "-A", "config", "beat", "--schedule", schedule)

    def keep(self, name: str, *arguments: str) -> None:
        """Start a process and see to it that there always is one."""
        command = [sys.executable, *arguments]
        self.kept[name] = Kept(name, command, self.environment, self.folder / f"{name}.log")

    def keep_again(self, name: str) -> None:
        """Start a process anew that was ended for good."""
        self.kept[name] = self.kept[name].again()

    def run(
        self, module: str, *arguments: str, seed: str = "0"
    ) -> subprocess.CompletedProcess[str]:
        """Run a module to its end."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**self.environment, "PYTHONHASHSEED": seed},
            check=False,
            capture_output=True,
            text=True,
        )

    def writer(self, seconds: float = 20.0) -> Kept:
        """Return the worker that holds the lease, as soon as one of those that run does."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            try:
                with psycopg.connect(self.postgres.url(), connect_timeout=2) as connection:
                    found = connection.execute("SELECT holder FROM matching_lease").fetchone()
            except psycopg.OperationalError:
                found = None
            for kept in self.kept.values():
                if found is not None and found[0].endswith(f":{kept.pid}"):
                    return kept
            time.sleep(0.05)
        raise AssertionError(f"Nobody leads: {self.tail_of_logs()}")

    def tail_of_logs(self) -> str:
        """The last words of each process, for a failure's message."""
        tails = []
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-12:]
            tails.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(tails)


def _worker(letter: str) -> tuple[str, ...]:
    return _celery(
        "worker", *("-Q", "matching", "-n", f"matching-{letter}@%h", "-c", "2"),
        *("--prefetch-multiplier", "1", "--loglevel", "INFO"),
    )  # fmt: skip


def _celery(*arguments: str) -> tuple[str, ...]:
    plain = ("-P", "threads", "--without-gossip", "--without-mingle")
    return ("-m", "celery", "-A", "config", *arguments, *plain)
