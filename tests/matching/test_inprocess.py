"""The gateway without services tells the same truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from apps.engine.messages import SELL, Accepted, Rejected, Rested, Trade
from apps.matching.gateway import Gateway
from apps.matching.models import JournalRow, Lease, ProjectionOffset
from tests.matching.commands import ALICE, BOB, place, set_up
from tests.matching.tape import TapeProjection, tape_rows


def test_commands_are_journaled_and_projected_when_submit_returns(
    engine_gateway: Gateway, only_tape: TapeProjection
) -> None:
    replies = set_up(engine_gateway)

    assert [reply.seq for reply in replies] == [1, 2, 3, 4, 5, 6, 7]
    assert all(reply.rejected is None for reply in replies)
    row = JournalRow.objects.get()
    assert (row.first_seq, row.last_seq, row.epoch) == (1, 7, 0)
    assert Lease.objects.get().last_seq == 7
    assert ProjectionOffset.objects.get().seq == 7
    assert tape_rows() == [(seq, 1) for seq in range(1, 8)]


def test_a_repeated_command_gets_the_first_answer(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    order = place(ALICE, "a-1")
    first = engine_gateway.submit(order)

    again = engine_gateway.submit(order)

    assert not first.duplicate
    assert again.duplicate
    assert (again.seq, again.at_ns, again.events) == (first.seq, first.at_ns, first.events)
    assert JournalRow.objects.count() == 3


def test_a_repeat_within_one_entry_gets_the_first_answer(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    order = place(ALICE, "a-1")

    first, again = engine_gateway.submit_many([order, order])

    assert [type(event) for event in first.events] == [Accepted, Rested]
    assert again.duplicate
    assert (again.seq, again.events) == (first.seq, first.events)


def test_the_same_id_for_another_order_is_refused(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    engine_gateway.submit(place(ALICE, "a-1"))

    reply = engine_gateway.submit(place(ALICE, "a-1", lots=11))

    assert reply.rejected == Rejected("id_reused", ALICE, "a-1")


def test_what_the_caller_rolls_back_has_not_happened(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)

    with transaction.atomic():
        assert engine_gateway.submit(place(ALICE, "a-1")).seq == 8
        transaction.set_rollback(True)
    reply = engine_gateway.submit(place(BOB, "b-1", side=SELL))

    # No buyer is there any more: the order rests.
    assert reply.seq == 8
    assert [type(event) for event in reply.events] == [Accepted, Rested]


def test_a_projection_that_fails_undoes_the_command(
    engine_gateway: Gateway, only_tape: TapeProjection
) -> None:
    set_up(engine_gateway)
    only_tape.fail_at_seq = 8

    with pytest.raises(RuntimeError, match="told to fail"):
        engine_gateway.submit(place(ALICE, "a-1"))
    only_tape.fail_at_seq = None

    assert JournalRow.objects.count() == 1
    assert engine_gateway.submit(place(ALICE, "a-1")).seq == 8
    assert len(tape_rows()) == 8


def test_publishing_waits_for_the_commit(
    engine_gateway: Gateway,
    only_tape: TapeProjection,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        set_up(engine_gateway)
        assert only_tape.told == []

    assert only_tape.told == [(1, 7)]


def test_orders_meet_across_calls(engine_gateway: Gateway) -> None:
    set_up(engine_gateway)
    engine_gateway.send([place(ALICE, "a-1"), place(ALICE, "a-2")])

    reply = engine_gateway.submit(place(BOB, "b-1", side=SELL, lots=15))

    assert [type(event) for event in reply.events] == [Accepted, Trade, Trade]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM matching_journal")
        assert cursor.fetchone() == (3,)
