"""D7: the apps' own projections, written again from the journal, are equal row for row."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from apps.engine.messages import SELL, Cancel
from apps.matching import projections
from apps.matching.gateway import Gateway, new_command_id, valid_until_ns
from tests.matching.commands import ALICE, BOB, place, set_up

pytestmark = pytest.mark.django_db(transaction=True)


def everything() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with connection.cursor() as cursor:
        for projection in projections.registered():
            for table in projection.tables:
                cursor.execute(f"SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text")
                found[table] = cursor.fetchall()
        cursor.execute("SELECT shard, seq, at_ns FROM matching_projection_offset")
        found["offset"] = cursor.fetchall()
    return found


@pytest.fixture
def traded(engine_gateway: Gateway) -> Gateway:
    set_up(engine_gateway)
    for number in range(10):
        engine_gateway.submit_many(
            [
                place(ALICE, f"a-{number}", lots=10 + number),
                place(BOB, f"b-{number}", side=SELL, lots=7, price_ticks=5_990_000 + number),
            ]
        )
    engine_gateway.submit(Cancel(new_command_id(), valid_until_ns(5), ALICE, 0, "a-9"))
    return engine_gateway


def test_rebuilt_projections_equal_the_live_ones(
    traded: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    # There are no blocks here; how theirs are written again is tested with them.
    assert {table for table, rows in before.items() if not rows} == {"trades_blockevent"}
    assert len(before["trades_order"]) == 20

    call_command("rebuild_projections")

    assert "up to seq 28" in capsys.readouterr().out
    assert everything() == before
    call_command("verify")


def test_a_rebuild_mends_what_verify_finds(traded: Gateway) -> None:
    before = everything()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE wallets_balance SET available_minor = available_minor + 1")
        cursor.execute("DELETE FROM trades_order WHERE id = 3")
    with pytest.raises(SystemExit):
        call_command("verify")

    call_command("rebuild_projections")

    assert everything() == before
    call_command("verify")


def test_projecting_goes_on_after_a_rebuild(traded: Gateway) -> None:
    call_command("rebuild_projections")

    traded.submit(place(ALICE, "later"))

    assert everything()["offset"][0][1] == 29
    call_command("verify")
