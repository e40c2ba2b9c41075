"""Verify finds what does not agree, and says where."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from apps.engine.messages import SELL
from apps.matching import replay
from apps.matching.gateway import Gateway
from apps.matching.verify import Report, verify
from tests.matching.commands import ALICE, BOB, place, set_up
from tests.matching.tampering import flip_byte
from tests.matching.tape import TapeProjection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traded(engine_gateway: Gateway, only_tape: TapeProjection) -> Gateway:
    """Seventeen commands, a snapshot at 17, all projected."""
    set_up(engine_gateway)
    for number in range(5):
        engine_gateway.submit_many(
            [place(ALICE, f"a-{number}"), place(BOB, f"b-{number}", side=SELL, lots=3)]
        )
    assert replay.take_snapshot(shard=0) == 17
    return engine_gateway


def tampered(statement: str) -> Report:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount == 1
    return verify(shard=0)


def test_verify_says_what_it_checked(traded: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "checked  snapshot 17: bytes, state hash, journal row"
    assert lines[1] == "checked  projection tape at 17: tape"
    assert lines[2] == "checked  journal: 17 commands, chain and replayed events"
    assert lines[3] == "checked  lease: stands at the journal's end"
    assert lines[4] == "checked  ledger: 2 assets sum to zero, nobody is below zero"
    assert lines[5].startswith("checked  state hash at 17: ")
    assert lines[6] == "No difference."


def test_verify_of_nothing_finds_nothing(only_tape: TapeProjection) -> None:
    report = verify(shard=0)

    assert report.differences == []
    assert "projection tape at 0: tape" in report.checked


def test_verify_finds_a_flipped_bit(traded: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    flip_byte("events", 13)

    with pytest.raises(SystemExit) as caught:
        call_command("verify")

    assert caught.value.code == 1
    assert "WRONG    The journal is corrupt at seq 12: its hash" in capsys.readouterr().out


def test_verify_finds_a_projection_that_differs(traded: Gateway) -> None:
    assert tampered("DELETE FROM tape WHERE seq = 3").differences == [
        "projection tape: 16 rows at seq 17"
    ]


def test_verify_finds_a_snapshot_that_differs(traded: Gateway) -> None:
    report = tampered(
        "UPDATE matching_snapshot SET state = set_byte(state, 9, get_byte(state, 9) # 1),"
        " state_hash = repeat('0', 64)"
    )

    assert report.differences == [
        "snapshot 17: its bytes have changed",
        "snapshot 17: replay gives another state",
    ]


def test_verify_finds_a_snapshot_of_nothing(traded: Gateway) -> None:
    assert tampered("UPDATE matching_snapshot SET seq = 18").differences == [
        "snapshot 18: no journal row ends there"
    ]


def test_verify_finds_a_lease_that_stands_elsewhere(traded: Gateway) -> None:
    assert tampered("UPDATE matching_lease SET last_seq = 18").differences == [
        "lease: at 18, the journal ends at 17"
    ]


def test_verify_checks_projections_where_they_are(traded: Gateway) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE matching_projection_offset SET seq = 13")
        cursor.execute("DELETE FROM tape WHERE seq > 13")

    report = verify(shard=0)

    assert report.differences == []
    assert "projection tape at 13: tape" in report.checked
    assert "projections are 4 commands behind" in report.checked


def test_verify_finds_projections_ahead_of_the_journal(traded: Gateway) -> None:
    assert tampered("UPDATE matching_projection_offset SET seq = 20").differences == [
        "projections: at 20, the journal ends at 17"
    ]


def test_verify_finds_an_offset_inside_a_row(traded: Gateway) -> None:
    assert tampered("UPDATE matching_projection_offset SET seq = 14").differences == [
        "projections: at 14, where no journal row ends"
    ]
