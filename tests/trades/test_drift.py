"""Positions survive a new process and a batch that was not written; drift is found and said."""

from __future__ import annotations

import logging

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from apps.matching import projections, projector
from apps.matching.journal import Batch, Entry
from apps.trades import drift
from apps.trades.position_projection import OutOfPlace, PositionsProjection
from apps.trades.tasks import check_positions
from tests.trades.test_projection import clear, lived, project, rows

pytestmark = pytest.mark.django_db


def batch_of(entries: list[Entry]) -> Batch:
    return Batch(entries[0].seq, entries[-1].seq, entries)


def test_a_new_process_goes_on_where_the_tables_are(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = lived(5, steps=300)
    project(journal.entries, size=64)
    wanted = rows()
    clear()

    for start in range(0, len(journal.entries), 64):
        forget_positions(monkeypatch)
        project(journal.entries[start : start + 64], size=64)

    assert rows() == wanted
    assert drift.check() == []


def test_a_batch_that_was_rolled_back_is_folded_once() -> None:
    journal = lived(6, steps=300)
    first, second = journal.entries[:200], journal.entries[200:]
    project(first, size=200)

    with transaction.atomic():
        project(second, size=50)
        transaction.set_rollback(True)
    project(second, size=64)

    assert drift.check() == []


def test_a_batch_prepared_before_the_last_one_is_written_is_right() -> None:
    journal = lived(7, steps=300)
    project(journal.entries[:100], size=100)
    fresh = PositionsProjection()
    parts = [batch_of(journal.entries[100:200]), batch_of(journal.entries[200:])]
    others = [each for each in projections.registered() if each.name != "positions"]

    with connection.cursor() as wrapper:
        fresh.take_up(wrapper.cursor, seq=100)
    writes = [fresh.prepare(part) for part in parts]
    for part, write in zip(parts, writes, strict=True):
        with connection.cursor() as wrapper:
            projector.move_offset(part, wrapper.cursor, shard=0)
            for each in others:
                each.apply(part, wrapper.cursor)
            write(wrapper.cursor)

    assert drift.check() == []


def test_a_batch_that_does_not_follow_is_not_folded() -> None:
    journal = lived(7, steps=50)
    project(journal.entries[:30], size=30)
    fresh = PositionsProjection()
    with connection.cursor() as wrapper:
        fresh.take_up(wrapper.cursor, seq=30)

    with pytest.raises(OutOfPlace, match="at seq 30, not before 32"):
        fresh.prepare(batch_of(journal.entries[31:]))


def test_drift_is_said_loudly(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    project(lived(8, steps=200).entries, size=64)
    call_command("check_positions")
    check_positions()
    assert capsys.readouterr().out == "Every position is what the ledger makes of it.\n"
    assert caplog.records == []

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trades_position SET fees_minor = fees_minor + 1"
            " WHERE account_id = 1000 AND asset_id = 2"
        )
    check_positions()
    with pytest.raises(SystemExit) as ended:
        call_command("check_positions")

    assert ended.value.code == 1
    assert "WRONG    position of account 1000 in asset 2" in capsys.readouterr().out
    assert [(each.levelno, "account 1000" in each.getMessage()) for each in caplog.records] == [
        (logging.CRITICAL, True)
    ]


def forget_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a projection that has folded nothing in the place of the one that has."""
    monkeypatch.setitem(projections._registered, "positions", PositionsProjection())
