"""The embedded PostgreSQL: made once, reachable by password only, alive again after any death."""

from __future__ import annotations

import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from apps.local import postgres as launcher
from apps.local.postgres import FAST, SAFE, Postgres
from apps.local.problems import DataFolderProblem, PortBusy, StartFailed

pytestmark = pytest.mark.crash

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(server_folder: Path, free_port: Callable[[], int]) -> Iterator[Postgres]:
    server = Postgres(server_folder / "postgres", free_port(), options=FAST)
    yield server
    server.stop()


def test_it_starts_with_a_password_checksums_and_plain_collation(server: Postgres) -> None:
    server.start()

    with psycopg.connect(server.url()) as connection:
        row = connection.execute(
            "SELECT current_setting('data_checksums'), datlocprovider, datcollate,"
            " current_setting('listen_addresses'), inet_server_addr()::text"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("on", "b", "C.UTF-8", "127.0.0.1", "127.0.0.1/32")
    assert (server.directory / "password").stat().st_mode & 0o777 == 0o600


def test_a_wrong_password_is_refused(server: Postgres) -> None:
    server.start()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(server.secret(), "wrong"))


def test_what_was_committed_is_there_after_it_was_killed(
    server_folder: Path, free_port: Callable[[], int]
) -> None:
    server = Postgres(server_folder / "postgres", free_port(), options=SAFE)
    server.start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")

    server.kill()
    server.start()

    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT sum(n) FROM kept").fetchone() == (5050,)
    server.stop()


def test_stopping_leaves_no_process(server: Postgres) -> None:
    server.start()
    assert server.pid is not None
    family = [server.pid, *(p.pid for p in psutil.Process(server.pid).children(recursive=True))]

    server.stop()

    assert [pid for pid in family if psutil.pid_exists(pid)] == []
    assert not server.running


def test_a_first_start_that_was_broken_off_is_done_again(server: Postgres) -> None:
    half = server.directory / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    server.start()

    assert server.answers()
    assert not half.exists()


def test_a_busy_port_is_named(server: Postgres, free_port: Callable[[], int]) -> None:
    server.start()
    second = Postgres(server.directory.with_name("second"), server.port, options=FAST)

    with pytest.raises(PortBusy, match=f"Port {server.port}, needed for PostgreSQL, is busy"):
        second.start()


def test_a_damaged_cluster_is_refused_and_left_alone(server: Postgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "PG_VERSION").unlink()

    with pytest.raises(DataFolderProblem, match="damaged"):
        server.start()

    assert (server.cluster / "base").is_dir()


def test_a_cluster_of_another_version_is_refused(server: Postgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "PG_VERSION").write_text("9\n")

    with pytest.raises(DataFolderProblem, match="made by PostgreSQL 9, but this copy brings 18"):
        server.start()


def test_a_cluster_that_cannot_start_says_why(server: Postgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "global" / "pg_control").write_bytes(b"")

    with pytest.raises(StartFailed, match="pg_control"):
        server.start()


def test_the_server_of_a_killed_starter_is_ended_first(
    server: Postgres, free_port: Callable[[], int]
) -> None:
    server.start()
    left = server.pid
    assert left is not None

    # The next start knows of it only through the folder.
    successor = Postgres(server.directory, server.port, options=FAST)
    successor.start()

    assert successor.pid != left
    assert not _runs(left)
    successor.stop()


def test_it_ends_when_its_starter_is_killed(
    server_folder: Path, free_port: Callable[[], int]
) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from apps.local.postgres import FAST, Postgres\n"
        "server = Postgres(Path(sys.argv[1]), int(sys.argv[2]), options=FAST)\n"
        "server.start(); print(server.pid, flush=True); time.sleep(60)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(server_folder / "postgres"), str(free_port())],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    server_pid = int(starter.stdout.readline())

    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()

    psutil.wait_procs([psutil.Process(server_pid)] if _runs(server_pid) else [], timeout=20)
    assert not _runs(server_pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up root")
def test_root_starts_it_as_somebody_else_and_outside_a_closed_folder(
    server_folder: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(launcher, "OUTSIDE", server_folder / "outside")
    server = Postgres(closed / "postgres", free_port(), options=FAST)

    server.start()

    assert server.pid is not None
    assert psutil.Process(server.pid).uids().effective != 0
    assert closed.stat().st_mode & 0o777 == 0o700
    assert server.cluster.is_relative_to(server_folder / "outside")
    assert (closed / "postgres" / "cluster").resolve() == server.cluster
    server.stop()
    server.remove_outside()
    assert list((server_folder / "outside").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up root")
def test_a_removed_folder_takes_what_lies_outside_along(
    server_folder: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(launcher, "OUTSIDE", server_folder / "outside")
    port = free_port()
    with Postgres(closed / "postgres", port, options=FAST) as server:
        server.create_database("old")

    shutil.rmtree(closed / "postgres")

    with (
        Postgres(closed / "postgres", port, options=FAST) as anew,
        anew.connect() as connection,
    ):
        names = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
    assert ("old",) not in names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to copy the programs")
def test_the_programs_are_copied_where_the_venv_is_closed(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable = Postgres._reachable
    monkeypatch.setattr(
        Postgres,
        "_reachable",
        lambda self, path: "site-packages" not in str(path) and reachable(self, path),
    )

    server.start()

    assert server.command()[0].startswith(str(server.directory / "program"))
    assert server.answers()


def test_a_normal_user_starts_it_too(server_folder: Path, free_port: Callable[[], int]) -> None:
    python = _python_for_everybody()
    home = server_folder / "home"
    home.mkdir()
    drop: dict[str, object] = {}
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        drop = {"user": 65534, "group": 65534, "extra_groups": []}
    script = (
        "import sys; from pathlib import Path\n"
        "from apps.local.postgres import FAST, Postgres\n"
        "with Postgres(Path(sys.argv[1]), int(sys.argv[2]), options=FAST) as server:\n"
        "    print(server.answers())\n"
    )

    ran = subprocess.run(
        [python, "-B", "-c", script, str(home / "postgres"), str(free_port())],
        cwd=REPOSITORY,
        # Where it is not the checkout's own interpreter, it finds the same packages.
        env={**os.environ, "HOME": str(home), "PYTHONPATH": site.getsitepackages()[0]},
        capture_output=True,
        text=True,
        check=False,
        **drop,  # type: ignore[call-overload]
    )

    assert (ran.stdout.strip(), ran.returncode) == ("True", 0), ran.stderr


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _python_for_everybody() -> str:
    """Return an interpreter that the test's other user may run: ours may lie in root's home."""
    if os.geteuid() == 0 and not _nobody_reaches(REPOSITORY / "apps"):
        pytest.skip("the checkout is closed to every user but root")
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [sys.executable, *(str(Path(folder, ours)) for folder in os.defpath.split(":"))]
    for python in found:
        if os.geteuid() != 0 or _nobody_reaches(Path(python)):
            return python
    pytest.skip(f"every {ours} here is closed to every user but root")


def _nobody_reaches(path: Path) -> bool:
    probe = ["/bin/sh", "-c", 'test -r "$0" && test -x "$0"', str(path.resolve())]
    tried = subprocess.run(probe, cwd="/", user=65534, group=65534, extra_groups=[], check=False)
    return tried.returncode == 0
