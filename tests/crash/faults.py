"""What the campaign does to a running copy, one function per fault."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg

from apps.matching import failpoints
from tests.crash.load import Load
from tests.crash.world import World

# Longer than the lease lasts, so that somebody else writes by the time it wakes up.
FROZEN_SECONDS: Final = 3.0
FIRES_SECONDS_MAX: Final = 30.0

# One writer's commits take as long as anybody waits: the row is there, and nobody has it yet.
STALL: Final = """
CREATE OR REPLACE FUNCTION crash_stall() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.epoch = {epoch} THEN PERFORM pg_sleep(20); END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER crash_stall AFTER INSERT ON matching_journal
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash_stall();
"""
NO_STALL: Final = "DROP TRIGGER crash_stall ON matching_journal"
STALLED: Final = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def kill_writer(world: World, load: Load) -> float:
    world.writer().process.kill()
    return time.time()


def kill_projector(world: World, load: Load) -> float:
    world.kept["projector"].process.kill()
    return time.time()


def kill_web(world: World, load: Load) -> float:
    world.kept["web"].process.kill()
    return time.time()


def kill_postgres(world: World, load: Load) -> float:
    world.postgres.kill()
    killed_at = time.time()
    world.postgres.start()
    return killed_at


def kill_valkey(world: World, load: Load) -> float:
    world.valkey.kill()
    killed_at = time.time()
    world.valkey.start()
    return killed_at


def kill_everything(world: World, load: Load) -> float:
    for kept in world.kept.values():
        kept.process.kill()
    world.postgres.kill()
    world.valkey.kill()
    killed_at = time.time()
    world.valkey.start()
    world.postgres.start()
    return killed_at


def freeze_writer(world: World, load: Load) -> float:
    """The writer sleeps, somebody else leads, it wakes up: its write is refused and it ends."""
    zombie = world.writer().process
    zombie.send_signal(signal.SIGSTOP)
    frozen_at = time.time()
    time.sleep(FROZEN_SECONDS)
    load.make_progress(3)
    assert world.writer().pid != zombie.pid
    zombie.send_signal(signal.SIGCONT)
    code = zombie.wait(20)
    assert code == 70, f"the writer that woke up ended with {code}, not because it was refused"
    return frozen_at


def two_writers(world: World, load: Load) -> float:
    """Both that could lead end and begin at one moment: one leads, the other stands by."""
    before = _epoch(world)
    for name in ("matching-a", "matching-b"):
        world.kept[name].process.kill()
    killed_at = time.time()
    load.make_progress(3)
    led = _epoch(world) - before
    assert led == 1, f"the lease changed hands {led} times"
    return killed_at


def _epoch(world: World) -> int:
    with psycopg.connect(world.postgres.url()) as connection:
        found = connection.execute("SELECT epoch FROM matching_lease").fetchone()
    assert found is not None
    return int(found[0])


def inserted_not_committed(world: World, load: Load) -> float:
    """The writer dies while its row is inserted and the commit is under way."""
    with psycopg.connect(world.postgres.url(), autocommit=True) as connection:
        writer = world.writer()
        connection.execute(STALL.format(epoch=_epoch(world)))
        _wait_until(lambda: connection.execute(STALLED).fetchone() != (0,), "no commit stalls")
        writer.process.kill()
        killed_at = time.time()
        # The next writer ends the backend of the one that is gone, and with it the row.
        load.make_progress(3)
        connection.execute(NO_STALL)
    return killed_at


def failpoint(name: str) -> Callable[[World, Load], float]:
    def die_there(world: World, load: Load) -> float:
        asked = Path(world.environment["FAILPOINTS"]) / name
        asked.touch()
        if name == failpoints.MID_SNAPSHOT:
            died = world.run("tests.crash.snapshot")
            assert died.returncode == -signal.SIGKILL, died.stderr
            again = world.run("tests.crash.snapshot")
            assert again.returncode == 0, again.stderr
        _wait_until(lambda: not asked.exists(), f"nothing came to {name}")
        return time.time()

    return die_there


def _wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    give_up_at = time.monotonic() + FIRES_SECONDS_MAX
    while not holds():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(0.01)


KILLS: Final = {
    # How often of 200, and what is waited for: an answer from the engine, or one through the API.
    "matching worker": (50, kill_writer, "client-"),
    "projector": (40, kill_projector, "projector"),
    "web": (40, kill_web, "http-"),
    "PostgreSQL": (30, kill_postgres, "client-"),
    "Valkey": (30, kill_valkey, "client-"),
    "everything at once": (10, kill_everything, "http-"),
}

FAULTS: Final = {
    "writer frozen and woken": (freeze_writer, "client-"),
    "two writers": (two_writers, "client-"),
    "inserted, not committed": (inserted_not_committed, "client-"),
    "before the insert": (failpoint(failpoints.BEFORE_INSERT), "client-"),
    "sent, not committed": (failpoint(failpoints.SENT_NOT_COMMITTED), "client-"),
    "committed, not acknowledged": (failpoint(failpoints.COMMITTED_NOT_ACKED), "client-"),
    "acknowledged, not projected": (failpoint(failpoints.ACKED_NOT_PROJECTED), "projector"),
    "mid-projection": (failpoint(failpoints.MID_PROJECTION), "projector"),
    "mid-snapshot": (failpoint(failpoints.MID_SNAPSHOT), "client-"),
}


def make_failpoints(folder: Path) -> str:
    made = folder / "failpoints"
    made.mkdir()
    os.chmod(made, 0o700)
    return str(made)
