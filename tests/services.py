"""Real PostgreSQL and Valkey for the tests: one of each for all workers, ended with the run.

Loaded as a plugin before anything else (see pyproject.toml), because it puts the addresses into
the environment before the settings are read. The servers themselves start when the first test
asks for them. Each worker has a database cloned from one migrated template, and a Valkey database
and key prefix of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from apps.local.postgres import FAST, Postgres
from apps.local.problems import PortBusy
from apps.local.server import refuse_busy_port
from apps.local.valkey import FORGET, Valkey

FOLDER_VARIABLE = "SUM1_TEST_SERVICES"
FOLDER_PREFIX = "sum1-tests-"
TEMPLATE = "sum1_template"
START_SECONDS = 60.0
# Below the range from which the system gives out ports of its own accord, and away from the
# ports that a running copy derives from its PORT.
PORTS = range(26_000, 31_000)

# Open descriptors: a port is ours as long as its file is locked.
_reservations: list[int] = []


class Services:
    """The two servers of one test run, seen from one of its processes."""

    def __init__(self, folder: Path, worker: str) -> None:
        ports = json.loads((folder / "ports.json").read_text())
        self.folder = folder
        self.worker = worker
        self.database = f"sum1_{worker}"
        self.postgres = Postgres(folder / "postgres", ports["postgres"], options=FAST)
        self.valkey = Valkey(folder / "valkey", ports["valkey"], options=FORGET)

    @property
    def owner(self) -> bool:
        """Return whether this process starts and stops the servers."""
        return self.worker == "main"

    @property
    def started(self) -> bool:
        return (self.folder / "ready").exists()

    @property
    def valkey_url(self) -> str:
        number = 0 if self.owner else int(self.worker.removeprefix("gw")) % 63 + 1
        return self.valkey.url(number)

    @property
    def database_url(self) -> str:
        return self.postgres.url(self.database)

    def ensure_started(self) -> None:
        """Return when both servers answer: start them, or have their owner do it."""
        if self.started:
            return
        if self.owner:
            self._start()
        else:
            (self.folder / "wanted").touch()
            self._wait()

    def start_when_wanted(self) -> None:
        """Let the workers of this controller ask for the servers."""
        threading.Thread(target=self._serve_wish, daemon=True).start()

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh_database(self) -> None:
        """Put the worker's database back to what the migrations leave: no rows."""
        self.postgres.drop_database(self.database)
        self.postgres.create_database(self.database, TEMPLATE)

    def make_template(self) -> None:
        """Migrate the template once per run; whoever comes second finds it done."""
        with self._locked():
            done = self.folder / "template"
            if not done.exists():
                self.postgres.create_database(TEMPLATE)
                _migrate(TEMPLATE)
                done.touch()

    def _start(self) -> None:
        try:
            with ThreadPoolExecutor(2) as pool:
                for start in (self.postgres.start, self.valkey.start):
                    pool.submit(start).result()
        except Exception as error:
            (self.folder / "failed").write_text(str(error))
            raise
        (self.folder / "ready").touch()

    def _serve_wish(self) -> None:
        while self.folder.exists():
            if (self.folder / "wanted").exists():
                self._start()
                return
            time.sleep(0.05)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.started:
            failed = self.folder / "failed"
            if failed.exists():
                raise RuntimeError(failed.read_text())
            if time.monotonic() > deadline:
                raise RuntimeError("The test servers did not start.")
            time.sleep(0.05)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def free_port() -> int:
    """Return a port that nobody listens on, reserved for this run among runs of this machine."""
    folder = Path(tempfile.gettempdir()) / "sum1-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    first = os.getpid() * 7 % len(PORTS)
    for step in range(len(PORTS)):
        port = PORTS[(first + step) % len(PORTS)]
        descriptor = os.open(folder / str(port), os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            refuse_busy_port(port, "a test")
        except (OSError, PortBusy):
            os.close(descriptor)
            continue
        _reservations.append(descriptor)
        return port
    raise RuntimeError("No free port between 26000 and 31000.")


def _new_folder() -> Path:
    """Make the folder of this run, locked as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    folder.chmod(0o711)
    descriptor = os.open(folder / "alive.new", os.O_WRONLY | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # Under its name it is locked from the first moment.
    (folder / "alive.new").rename(folder / "alive")
    _reservations.append(descriptor)
    return folder


def _remove_what_killed_runs_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder / "alive", os.O_WRONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that the user of an embedded server can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="sum1-servers-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def this_run() -> Services:
    """The services of this process, with their addresses in the environment."""
    given = os.environ.get(FOLDER_VARIABLE)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if given is None or worker == "main":
        _remove_what_killed_runs_left()
        folder = _new_folder()
        ports = {"postgres": free_port(), "valkey": free_port()}
        (folder / "ports.json").write_text(json.dumps(ports))
        for name in ports:
            (folder / name).mkdir()
        services = Services(folder, "main")
        services.postgres.secret()
        services.valkey.secret()
        os.environ[FOLDER_VARIABLE] = str(folder)
    else:
        services = Services(Path(given), worker)
    os.environ["DATABASE_URL"] = services.database_url
    os.environ["REDIS_URL"] = services.valkey_url
    os.environ["KEY_PREFIX"] = f"test-{services.worker}:"
    os.environ["DATA_DIR"] = str(services.folder / f"data-{services.worker}")
    return services


def pytest_configure(config: pytest.Config) -> None:
    if this_run().owner and config.getoption("numprocesses", None):
        this_run().start_when_wanted()


def pytest_unconfigure() -> None:
    if this_run().owner:
        this_run().stop()


def _migrate(database: str) -> None:
    from django.core.management import call_command
    from django.db import connection

    own = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("make_roles")
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own


this_run()
