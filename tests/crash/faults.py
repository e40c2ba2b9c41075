"""What the campaign does to a running copy, one function per fault."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from apps.matching import failpoints
from apps.matching.tasks import FAILED_EXIT_CODE as REFUSED
from tests.crash.load import Load
from tests.crash.world import World

# Longer than the lease lasts, so that somebody else writes by the time it wakes up; and so long
# that everything in between has run out too.
FROZEN_SECONDS: Final = 3.0
FROZEN_LONG_SECONDS: Final = 30.0
FIRES_SECONDS_MAX: Final = 30.0
# How long a full disk is looked at before there is room again.
FULL_SECONDS: Final = 2.0
# Behind the head of any file of PostgreSQL's: whatever comes finds no room.
FILE_BYTES_MAX: Final = 16_384

# One writer's commits take as long as anybody waits: the row is there, and nobody has it yet.
STALL: Final = """
CREATE OR REPLACE FUNCTION crash_stall() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.epoch = {epoch} THEN PERFORM pg_sleep(20); END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER crash_stall AFTER INSERT ON matching_journal
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash_stall();
"""
NO_STALL: Final = "DROP TRIGGER crash_stall ON matching_journal"
# What PostgreSQL says where a table cannot grow: at the insert, or, after it has told how many
# rows there are, at the commit.
AT_INSERT: Final = {"kind": "TRIGGER crash_full BEFORE INSERT", "when": ""}
AT_COMMIT: Final = {
    "kind": "CONSTRAINT TRIGGER crash_full AFTER INSERT",
    "when": "DEFERRABLE INITIALLY DEFERRED",
}
FULL: Final = """
CREATE OR REPLACE FUNCTION crash_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE =
'could not extend file: No space left on device'; END $$;
CREATE {kind} ON matching_journal {when} FOR EACH ROW EXECUTE FUNCTION crash_full();
CREATE TRIGGER crash_full BEFORE INSERT ON matching_snapshot
FOR EACH ROW EXECUTE FUNCTION crash_full();
"""
ROOM: Final = """
DROP TRIGGER crash_full ON matching_journal; DROP TRIGGER crash_full ON matching_snapshot;
"""
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


def kill_background_worker(world: World, load: Load) -> float:
    world.kept["worker"].process.kill()
    return time.time()


def kill_beat(world: World, load: Load) -> float:
    world.kept["beat"].process.kill()
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


def freeze_writer(seconds: float) -> Callable[[World, Load], float]:
    """The writer sleeps, somebody else leads, it wakes up: its write is refused and it ends."""

    def freeze(world: World, load: Load) -> float:
        zombie = world.writer().process
        zombie.send_signal(signal.SIGSTOP)
        frozen_at = time.time()
        time.sleep(seconds)
        load.make_progress(3)
        assert world.writer().pid != zombie.pid
        zombie.send_signal(signal.SIGCONT)
        code = zombie.wait(20)
        assert code == REFUSED, f"the writer that woke up ended with {code}: it was not refused"
        return frozen_at

    return freeze


def freeze_server(name: str, seconds: float) -> Callable[[World, Load], float]:
    """A server that neither answers nor ends; what it was sent before, it does when it wakes."""

    def freeze(world: World, load: Load) -> float:
        server = psutil.Process({"PostgreSQL": world.postgres, "Valkey": world.valkey}[name].pid)
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.suspend()
        time.sleep(seconds)
        for process in family:
            process.resume()
        return time.time()

    return freeze


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


def no_room_for_rows(place: dict[str, str]) -> Callable[[World, Load], float]:
    """Journal and snapshots find the disk full: whoever leads ends, and nothing is acknowledged."""

    def fill(world: World, load: Load) -> float:
        with psycopg.connect(world.postgres.url(), autocommit=True) as connection:
            writer = world.writer()
            ended = len(writer.exits)
            connection.execute(FULL.format(**place).encode())
            try:
                _wait_until(lambda: len(writer.exits) > ended, "the writer goes on unjournaled")
                before = _journaled_seq(connection)
                assert writer.exits[-1] == REFUSED, f"the writer ended with {writer.exits[-1]}"
                assert world.run("tests.crash.snapshot").returncode, "a snapshot found room"
                time.sleep(FULL_SECONDS)
                assert _journaled_seq(connection) == before, "something was journaled"
            finally:
                connection.execute(ROOM)
        return time.time()

    return fill


def no_room_for_writes(world: World, load: Load) -> float:
    """PostgreSQL's own writes for the writer find no room.

    Where that is a table's, the row is refused; where it is its log, PostgreSQL falls and comes
    back. Either way the writer ends without a word about what it had begun.
    """
    writer = world.writer()
    ended = len(writer.exits)
    with psycopg.connect(world.postgres.url()) as connection:
        found = connection.execute("SELECT backend_pid FROM matching_lease").fetchone()
    assert found is not None
    # As the user that owns the server's process, who may do so without any privilege.
    limit = ["prlimit", "--pid", str(found[0]), f"--fsize={FILE_BYTES_MAX}:"]
    owner: dict[str, Any] = world.postgres.drop()
    subprocess.run(limit, check=True, cwd="/", **owner)
    _wait_until(lambda: len(writer.exits) > ended, "PostgreSQL writes beyond the end of its room")
    assert writer.exits[-1] == REFUSED, f"the writer ended with {writer.exits[-1]}"
    return time.time()


def _journaled_seq(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    found = connection.execute("SELECT max(last_seq) FROM matching_journal").fetchone()
    return found and found[0]


def failpoint(name: str) -> Callable[[World, Load], float]:
    def die_there(world: World, load: Load) -> float:
        asked = Path(world.environment["FAILPOINTS"]) / name
        asked.touch()
        if name == failpoints.MID_SNAPSHOT:
            _take_snapshots_until(lambda: not asked.exists(), world)
        _wait_until(lambda: not asked.exists(), f"nothing came to {name}")
        return time.time()

    return die_there


def _take_snapshots_until(somebody_died: Callable[[], bool], world: World) -> None:
    """The background worker takes snapshots too, one of the two at a time: either may die."""
    give_up_at = time.monotonic() + FIRES_SECONDS_MAX
    while not somebody_died():
        assert time.monotonic() < give_up_at, "nobody takes a snapshot"
        died = world.run("tests.crash.snapshot")
        assert died.returncode in (0, -signal.SIGKILL), died.stderr
    again = world.run("tests.crash.snapshot")
    assert again.returncode == 0, again.stderr


def _wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    give_up_at = time.monotonic() + FIRES_SECONDS_MAX
    while not holds():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(0.01)


KILLS: Final = {
    # How often of 200, and what is waited for: an answer from the engine, one through the API, or
    # background work that is done.
    "matching worker": (45, kill_writer, "client-"),
    "projector": (35, kill_projector, "projector"),
    "web": (35, kill_web, "http-"),
    "PostgreSQL": (25, kill_postgres, "client-"),
    "Valkey": (25, kill_valkey, "client-"),
    "Celery worker": (15, kill_background_worker, "duty-"),
    "Celery beat": (10, kill_beat, "duty-"),
    "everything at once": (10, kill_everything, "http-"),
}

# The same of what is not a kill, or one at a chosen place.
FAULTS: Final = {
    "writer frozen for 3 s": (2, freeze_writer(FROZEN_SECONDS), "client-"),
    "writer frozen for 30 s": (20, freeze_writer(FROZEN_LONG_SECONDS), "client-"),
    "PostgreSQL frozen for 10 s": (2, freeze_server("PostgreSQL", 10.0), "client-"),
    "Valkey frozen for 5 s": (2, freeze_server("Valkey", 5.0), "client-"),
    "two writers": (20, two_writers, "client-"),
    "inserted, not committed": (10, inserted_not_committed, "client-"),
    "before the insert": (10, failpoint(failpoints.BEFORE_INSERT), "client-"),
    "sent, not committed": (10, failpoint(failpoints.SENT_NOT_COMMITTED), "client-"),
    "committed, not acknowledged": (10, failpoint(failpoints.COMMITTED_NOT_ACKED), "client-"),
    "acknowledged, not projected": (10, failpoint(failpoints.ACKED_NOT_PROJECTED), "projector"),
    "mid-projection": (10, failpoint(failpoints.MID_PROJECTION), "projector"),
    "mid-snapshot": (10, failpoint(failpoints.MID_SNAPSHOT), "client-"),
    "letter read, not sent": (10, failpoint(failpoints.LETTER_READ), "duty-"),
    "letter sent, not forgotten": (10, failpoint(failpoints.LETTER_SENT), "duty-"),
    "no room at the insert": (4, no_room_for_rows(AT_INSERT), "client-"),
    "no room at the commit": (3, no_room_for_rows(AT_COMMIT), "client-"),
    "no room for PostgreSQL's writes": (3, no_room_for_writes, "client-"),
}


def make_failpoints(folder: Path) -> str:
    made = folder / "failpoints"
    made.mkdir()
    os.chmod(made, 0o700)
    return str(made)
