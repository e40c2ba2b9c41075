"""The campaign's own rules: what it plans, what it calls a violation, and where processes die."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from apps.matching import failpoints
from tests.crash.campaign import plan, table, violations
from tests.crash.faults import FAULTS
from tests.crash.load import Told

PASSED: dict[str, Any] = {
    "sent": 9,
    "told": 9,
    "lost": [],
    "doubled": [],
    "changed": [],
    "strangers": [],
    "refused": {},
    "verify": [0, 0],
    "hashes_equal": True,
    "sockets": {"undetected_gaps": 0, "wrong": 0},
}


def test_two_hundred_kills_are_shared_out_and_a_seed_repeats_them() -> None:
    order = plan(200, 7)

    assert Counter(name for name in order if name not in FAULTS) == {
        "matching worker": 50, "projector": 40, "web": 40,
        "PostgreSQL": 30, "Valkey": 30, "everything at once": 10,
    }  # fmt: skip
    assert Counter(name for name in order if name in FAULTS) == dict.fromkeys(FAULTS, 2)
    assert plan(200, 7) == order != plan(200, 8)
    assert len([name for name in plan(1_000, 7) if name not in FAULTS]) == 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lost", ["a"]),
        ("doubled", ["a"]),
        ("changed", ["a"]),
        ("strangers", ["a"]),
        ("refused", {"insufficient_balance": 1}),
        ("told", 8),
        ("verify", [0, 1]),
        ("hashes_equal", False),
        ("sockets", {"undetected_gaps": 1, "wrong": 0}),
        ("sockets", {"undetected_gaps": 0, "wrong": 1}),
    ],
)
def test_whatever_is_wrong_fails_the_campaign(name: str, value: object) -> None:
    assert violations(PASSED) == []
    assert len(violations({**PASSED, name: value})) == 1


def test_recovery_counts_only_what_was_asked_after_the_blow(tmp_path: Path) -> None:
    log = tmp_path / "client.jsonl"
    log.write_text(
        '{"sent": "a"}\n'
        '{"told": "a", "asked_at": 9.9, "at": 10.2}\n'
        '{"told": "b", "asked_at": 10.3, "at": 11.5}\n'
        '{"told": "half a li'
    )
    told = Told(log)

    told.read()

    assert (told.count, told.answered_at(10.0), told.answered_at(12.0)) == (2, 11.5, None)
    with log.open("a") as more:
        more.write('ne", "asked_at": 12.1, "at": 12.2}\n')
    told.read()
    assert (told.count, told.answered_at(12.0)) == (3, 12.2)


def test_the_table_has_median_and_p99() -> None:
    rows = table({"web": [float(number) for number in range(1, 101)]})

    assert rows[2:] == ["| web | 100 | 51.00 s | 100.00 s |"]


def test_a_process_dies_where_it_was_asked_to_and_only_once(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, number: killed.append(number))
    settings.FAILPOINTS = str(tmp_path)
    (tmp_path / failpoints.BEFORE_INSERT).touch()

    failpoints.reach(failpoints.MID_PROJECTION)
    failpoints.reach(failpoints.BEFORE_INSERT)
    failpoints.reach(failpoints.BEFORE_INSERT)

    assert killed == [signal.SIGKILL]


def test_nobody_dies_without_the_setting(settings: Any) -> None:
    assert settings.FAILPOINTS == ""
    failpoints.reach(failpoints.BEFORE_INSERT)
