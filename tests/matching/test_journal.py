"""The journal's guards: append-only, chained, every byte of it covered."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from apps.matching import journal, replay
from apps.matching.gateway import Gateway
from apps.matching.journal import CorruptJournal
from apps.matching.models import JournalRow
from tests.matching.commands import ALICE, place, set_up
from tests.matching.tampering import flip_byte, tamper


def recovered_seq() -> int:
    with connection.cursor() as cursor:
        return replay.recover(cursor, shard=settings.MATCHING_SHARD).engine.seq


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE matching_journal SET at_ns = at_ns + 1",
        "DELETE FROM matching_journal",
        "TRUNCATE matching_journal",
    ],
)
def test_journal_refuses_everything_but_appending(engine_gateway: Gateway, statement: str) -> None:
    set_up(engine_gateway)

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert JournalRow.objects.get().last_seq == 7
    assert recovered_seq() == 7


@pytest.mark.parametrize("column", ["commands", "events", "prev_hash", "hash"])
def test_a_flipped_bit_is_named_by_its_seq(engine_gateway: Gateway, column: str) -> None:
    set_up(engine_gateway)
    for number in range(3):
        engine_gateway.submit(place(ALICE, f"a-{number}"))
    flip_byte(column, 9)

    with pytest.raises(CorruptJournal, match="seq 9") as caught:
        recovered_seq()

    assert caught.value.seq == 9


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("epoch", 5),
        ("at_ns", 5),
        ("stream_generation", 5),
        ("last_entry_id", "5-5"),
        ("rules_version", 5),
        ("shard", 5),
    ],
)
def test_every_field_of_a_row_is_covered_by_its_hash(
    engine_gateway: Gateway, column: str, value: str | int
) -> None:
    set_up(engine_gateway)
    row = JournalRow.objects.get()
    assert getattr(row, column) != value

    tamper(f"UPDATE matching_journal SET {column} = %s", [value])
    with connection.cursor() as cursor:
        (changed,) = journal.read_rows(cursor, 0, shard=5 if column == "shard" else 0)

    assert journal.row_hash(changed) != changed.hash


def test_a_missing_row_is_named_by_its_seq(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    for number in range(3):
        engine_gateway.submit(place(ALICE, f"a-{number}"))
    tamper("DELETE FROM matching_journal WHERE last_seq = 9")

    with pytest.raises(CorruptJournal, match="seq 9: the next row starts at 10"):
        recovered_seq()


def test_events_that_replay_differently_are_named_by_their_seq(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    reply = engine_gateway.submit(place(ALICE, "a-1"))
    with connection.cursor() as cursor:
        row = journal.row_of(cursor, reply.seq, shard=0)
        assert row is not None
        # A row that is whole in itself, but says that nothing happened.
        forged = journal.make_row(
            shard=0,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            epoch=row.epoch,
            at_ns=row.at_ns,
            stream_generation=row.stream_generation,
            last_entry_id=row.last_entry_id,
            rules_version=row.rules_version,
            commands=row.commands,
            events=journal.encoder.encode([[[]]]),
            prev_hash=row.prev_hash,
        )
    tamper(
        "UPDATE matching_journal SET events = %s, hash = %s WHERE last_seq = %s",
        [forged.events, forged.hash, row.last_seq],
    )

    with pytest.raises(CorruptJournal, match=r"seq 8: replay gives .*Accepted"):
        recovered_seq()


def test_a_seq_is_found_inside_its_row(engine_gateway: Gateway) -> None:
    replies = set_up(engine_gateway)

    with connection.cursor() as cursor:
        entry = journal.entry_at(cursor, 3, shard=0)
        beyond = journal.entry_at(cursor, 8, shard=0)

    assert entry is not None
    assert (entry.seq, entry.events) == (3, replies[2].events)
    assert beyond is None
