"""The projector: each batch once, in order, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import psycopg
import pytest
import redis
from django.db import connection

from apps.matching import projections, projector, queries, servers, wire
from apps.matching.gateway import Gateway
from apps.matching.journal import Batch, CorruptJournal, Entry
from apps.matching.models import ProjectionOffset
from apps.matching.projector import OffsetMoved, Projector
from tests.matching.commands import ALICE, place, set_up
from tests.matching.tampering import flip_byte, tamper
from tests.matching.tape import TapeProjection, tape_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def link() -> Iterator[servers.Connection]:
    with closing(projector.connect()) as opened:
        yield opened


@pytest.fixture
def tape(unprojected: Gateway, only_tape: TapeProjection) -> TapeProjection:
    """Ten commands in four rows, none projected."""
    set_up(unprojected)
    for number in range(3):
        unprojected.submit(place(ALICE, f"a-{number}"))
    return only_tape


EVENTS = [*((seq, 1) for seq in range(1, 8)), (8, 2), (9, 2), (10, 2)]


def project_all(link: servers.Connection) -> Projector:
    made = Projector(threading.Event())
    made.find_place(link)
    while made.step(link):
        continue
    return made


def hold_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a transaction hold one row of the journal, and no more."""
    monkeypatch.setattr(projector, "COMMANDS_AT_FIRST", 1)
    monkeypatch.setattr(projector, "COMMANDS_PER_TRANSACTION", 1)


def test_rows_are_projected_together_when_behind(
    tape: TapeProjection, link: servers.Connection, valkey: redis.Redis
) -> None:
    project_all(link)

    assert tape_rows() == EVENTS
    assert queries.projected_seq() == 10
    assert tape.told == [(1, 10)]
    said = valkey.get(wire.projected_key(0))
    assert isinstance(said, bytes)
    assert said.startswith(b"10:")


def test_a_transaction_holds_only_so_much(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "COMMANDS_AT_FIRST", 7)
    monkeypatch.setattr(projector, "COMMANDS_PER_TRANSACTION", 2)

    project_all(link)

    assert tape.told == [(1, 7), (8, 9), (10, 10)]
    assert tape_rows() == EVENTS


def test_the_next_batch_is_prepared_while_one_is_written(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one_row(monkeypatch)
    steps: list[tuple[str, int, bool]] = []
    main_thread = threading.current_thread()

    def note(what: str, batch: Batch) -> None:
        steps.append((what, batch.last_seq, threading.current_thread() is main_thread))

    def prepare(batch: Batch) -> projections.Write:
        note("prepared", batch)

        def write(cursor: psycopg.Cursor) -> None:
            note("written", batch)
            tape.apply(batch, cursor)

        return write

    monkeypatch.setattr(tape, "prepare", prepare, raising=False)

    project_all(link)

    assert tape_rows() == EVENTS
    assert [seq for what, seq, _ in steps if what == "written"] == [7, 8, 9, 10]
    assert [seq for what, seq, _ in steps if what == "prepared"] == [7, 8, 9, 10]
    assert [where for what, _, where in steps if what == "written"] == [True] * 4
    # Only the first had nothing to be prepared beside.
    assert [where for what, _, where in steps if what == "prepared"] == [True, False, False, False]


def test_two_batches_are_prepared_while_one_is_written(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one_row(monkeypatch)
    ready = {seq: threading.Event() for seq in (7, 8, 9, 10)}
    waited: list[bool] = []

    def prepare(batch: Batch) -> projections.Write:
        ready[batch.last_seq].set()

        def write(cursor: psycopg.Cursor) -> None:
            waited.append(ready[min(batch.last_seq + 2, 10)].wait(10))
            tape.apply(batch, cursor)

        return write

    monkeypatch.setattr(tape, "prepare", prepare, raising=False)

    project_all(link)

    assert waited == [True] * 4
    assert tape_rows() == EVENTS


def test_a_projection_takes_up_its_tables_where_the_projector_finds_its_place(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one_row(monkeypatch)
    taken_up: list[tuple[int, int]] = []

    def take_up(cursor: psycopg.Cursor, *, seq: int) -> None:
        taken_up.append((seq, len(tape_rows())))

    monkeypatch.setattr(tape, "take_up", take_up, raising=False)
    made = Projector(threading.Event())
    made.find_place(link)
    made.step(link)
    made.step(link)

    made.find_place(link)
    while made.step(link):
        continue

    assert taken_up == [(0, 0), (8, 8)]
    assert tape_rows() == EVENTS


def test_what_was_prepared_in_vain_is_prepared_again(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one_row(monkeypatch)
    made = Projector(threading.Event())
    made.find_place(link)
    assert made.step(link)
    tape.fail_at_seq = 8
    with pytest.raises(RuntimeError, match="told to fail"):
        made.step(link)
    tape.fail_at_seq = None

    made.find_place(link)
    while made.step(link):
        continue

    assert tape_rows() == EVENTS
    assert tape.told == [(1, 7), (8, 8), (9, 9), (10, 10)]


def test_a_batch_that_cannot_be_prepared_stops_after_the_one_before(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_one_row(monkeypatch)

    def prepare(batch: Batch) -> projections.Write:
        if batch.last_seq == 8:
            raise RuntimeError("told to fail")
        return partial(tape.apply, batch)

    monkeypatch.setattr(tape, "prepare", prepare, raising=False)

    with pytest.raises(RuntimeError, match="told to fail"):
        project_all(link)

    assert tape_rows() == EVENTS[:7]
    assert queries.projected_seq() == 7


def test_a_batch_that_fails_leaves_nothing_behind_and_comes_again(
    tape: TapeProjection, link: servers.Connection
) -> None:
    tape.fail_at_seq = 9
    with pytest.raises(RuntimeError, match="told to fail"):
        project_all(link)
    assert tape_rows() == []
    assert queries.projected_seq() == 0
    assert tape.told == []

    tape.fail_at_seq = None
    project_all(link)

    assert tape_rows() == EVENTS


def test_a_projector_killed_before_its_commit_has_done_nothing(
    tape: TapeProjection, link: servers.Connection
) -> None:
    killed = Projector(threading.Event())
    killed.find_place(link)

    def apply_and_die(batch: Batch, cursor: psycopg.Cursor) -> None:
        TapeProjection.apply(tape, batch, cursor)
        with connection.cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [link.info.backend_pid])

    tape.apply = apply_and_die  # type: ignore[method-assign]
    with pytest.raises(psycopg.OperationalError):
        killed.step(link)
    del tape.apply
    assert tape_rows() == []

    with closing(projector.connect()) as again:
        project_all(again)

    assert tape_rows() == EVENTS


def test_a_projector_killed_after_its_commit_goes_on_behind_it(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "COMMANDS_AT_FIRST", 8)
    first = Projector(threading.Event())
    first.find_place(link)
    first.step(link)
    assert queries.projected_seq() == 8

    with closing(projector.connect()) as again:
        project_all(again)

    assert tape_rows() == EVENTS


def test_what_a_projection_fails_to_tell_stops_nothing(
    tape: TapeProjection, link: servers.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    tape.fail_to_tell = True

    project_all(link)

    assert queries.projected_seq() == 10
    assert "Projection tape failed to publish 1 to 10" in caplog.text


def test_d7_a_batch_projected_already_is_refused(
    tape: TapeProjection, link: servers.Connection
) -> None:
    project_all(link)
    late = Batch(1, 1, [Entry(1, 1, ())])

    with pytest.raises(OffsetMoved), link.transaction():
        projector.project(late, link.cursor(), shard=0)

    assert tape_rows() == EVENTS
    assert queries.projected_seq() == 10


def test_d7_a_gap_is_refused(tape: TapeProjection, link: servers.Connection) -> None:
    tamper("DELETE FROM matching_journal WHERE last_seq = 9")

    with pytest.raises(CorruptJournal, match="seq 9"):
        project_all(link)

    # Not even what came before the gap in the same transaction.
    assert tape_rows() == []


def test_an_altered_row_is_not_projected(tape: TapeProjection, link: servers.Connection) -> None:
    flip_byte("events", 9)

    with pytest.raises(CorruptJournal, match="seq 9"):
        project_all(link)

    assert tape_rows() == []


def test_an_offset_that_was_moved_stops_the_projector(
    tape: TapeProjection, link: servers.Connection
) -> None:
    project_all(link)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_projection_offset SET seq = 5")

    with pytest.raises(OffsetMoved, match="at seq 5, where no journal row ends"):
        project_all(link)


def test_a_second_projector_waits_for_its_turn(
    tape: TapeProjection, link: servers.Connection
) -> None:
    stop = threading.Event()
    assert projector.wait_for_turn(link, 0, stop)
    with closing(projector.connect()) as second:
        threading.Timer(0.2, stop.set).start()
        assert not projector.wait_for_turn(second, 0, stop)

        link.close()
        assert projector.wait_for_turn(second, 0, threading.Event())


def test_a_rebuild_gives_the_same_rows(tape: TapeProjection, link: servers.Connection) -> None:
    project_all(link)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tape SET events = 99 WHERE seq = 3")
    tape.told.clear()
    link.close()

    assert projector.rebuild(shard=0) == 10

    assert tape_rows() == EVENTS
    assert queries.projected_seq() == 10
    assert tape.told == []


def test_a_rebuild_that_fails_changes_nothing(
    tape: TapeProjection, link: servers.Connection
) -> None:
    project_all(link)
    link.close()
    tape.fail_at_seq = 9

    with pytest.raises(RuntimeError, match="told to fail"):
        projector.rebuild(shard=0)

    assert tape_rows() == EVENTS
    assert queries.projected_seq() == 10


def run_until(seq: int) -> None:
    """Have a projector run, as its process would, until it has projected this."""
    stop = threading.Event()
    running = threading.Thread(target=Projector(stop).run)
    running.start()
    try:
        assert queries.wait_for_seq(seq, timeout_seconds=10)
    finally:
        stop.set()
        running.join(10)
    assert not running.is_alive()


def versions_written() -> dict[str, int]:
    offset = ProjectionOffset.objects.get(shard=0)
    return dict(offset.versions)


@pytest.mark.parametrize("written_by", ['{"tape": 1}', '{"tape": 3}', '{"other": 2}', "{}"])
def test_a_projection_of_another_version_is_written_again(
    tape: TapeProjection,
    unprojected: Gateway,
    link: servers.Connection,
    caplog: pytest.LogCaptureFixture,
    written_by: str,
) -> None:
    project_all(link)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tape SET events = 99 WHERE seq = 3")
        cursor.execute("UPDATE matching_projection_offset SET versions = %s::jsonb", [written_by])
    link.close()
    tape.told.clear()
    tape.version = 2
    unprojected.submit(place(ALICE, "a-3"))

    run_until(11)

    assert tape_rows() == [*EVENTS, (11, 2)]
    assert versions_written() == {"tape": 2}
    assert caplog.messages.count(
        "Projections have changed (tape): all tables are written again from the journal."
    ) == 1  # fmt: skip

    caplog.clear()
    unprojected.submit(place(ALICE, "a-4"))
    run_until(12)

    assert "Projections have changed" not in caplog.text
    assert tape.told[-1] == (12, 12)


def test_tables_of_the_present_version_stay_as_they_are(
    tape: TapeProjection,
    unprojected: Gateway,
    link: servers.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert projector.outdated(link.cursor(), shard=0) == []
    project_all(link)
    assert versions_written() == {"tape": 1}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tape SET events = 99 WHERE seq = 3")
        # An app that is gone has left its version behind.
        cursor.execute(
            """UPDATE matching_projection_offset SET versions = '{"tape": 1, "gone": 4}'"""
        )
    link.close()
    unprojected.submit(place(ALICE, "a-3"))

    run_until(11)

    assert (3, 99) in tape_rows()
    assert caplog.text == ""


def test_writing_again_that_is_stopped_changes_nothing(
    tape: TapeProjection, link: servers.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_all(link)
    hold_one_row(monkeypatch)
    stop = threading.Event()
    stopped = Projector(stop)
    tape.version = 2
    stop.set()

    stopped.rewrite(link)

    assert tape_rows() == EVENTS
    assert queries.projected_seq() == 10
    assert versions_written() == {"tape": 1}
    assert tape.told == [(1, 10)]


def test_a_rebuild_waits_for_no_projector(tape: TapeProjection, link: servers.Connection) -> None:
    project_all(link)
    assert projector.wait_for_turn(link, 0, threading.Event())

    with pytest.raises(OffsetMoved, match="stop it first"):
        projector.rebuild(shard=0)


def test_the_running_projector_outlives_its_connection(
    tape: TapeProjection, unprojected: Gateway, valkey: redis.Redis
) -> None:
    stop = threading.Event()
    running = threading.Thread(target=Projector(stop).run)
    running.start()
    try:
        assert queries.wait_for_seq(10, timeout_seconds=10)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'matching-projector' AND datname = current_database()"
            )
        unprojected.submit(place(ALICE, "a-3"))
        assert queries.wait_for_seq(11, timeout_seconds=10)
    finally:
        stop.set()
        running.join(10)

    assert not running.is_alive()
    assert tape_rows() == [*EVENTS, (11, 2)]
