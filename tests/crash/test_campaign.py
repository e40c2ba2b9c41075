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
from tests.crash.followed import AccountFigures
from tests.crash.load import Told
from tests.crash.world import ROOT

PASSED: dict[str, Any] = {
    "sent": 9,
    "told": 9,
    "lost": [],
    "doubled": [],
    "changed": [],
    "strangers": [],
    "ended_twice": [],
    "refused": {},
    "verify": [0, 0],
    "hashes_equal": True,
    "sockets": {
        "public": {"undetected_gaps": 0, "wrong": 0},
        "private": {"undetected_gaps": 0, "wrong": 0},
    },
    "duties": {
        "undone": 0,
        "changes_too_many": 0,
        "letters_lost": [],
        "letters_sent_again": 2,
        "worker_deaths": 2,
    },
}


def test_two_hundred_kills_are_shared_out_and_a_seed_repeats_them() -> None:
    order = plan(200, 7)

    assert Counter(name for name in order if name not in FAULTS) == {
        "matching worker": 45, "projector": 35, "web": 35, "PostgreSQL": 25, "Valkey": 25,
        "Celery worker": 15, "Celery beat": 10, "everything at once": 10,
    }  # fmt: skip
    assert Counter(name for name in order if name in FAULTS) == {
        name: count for name, (count, _, _) in FAULTS.items()
    }
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
        ("ended_twice", [7]),
        ("sockets", {"public": {"undetected_gaps": 1, "wrong": 0}}),
        ("sockets", {"private": {"undetected_gaps": 0, "wrong": 1}}),
        ("duties", {**PASSED["duties"], "undone": 1}),
        ("duties", {**PASSED["duties"], "changes_too_many": 1}),
        ("duties", {**PASSED["duties"], "letters_lost": ["duty-4"]}),
        ("duties", {**PASSED["duties"], "letters_sent_again": 3}),
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


@pytest.mark.parametrize("name", [name for name in vars(failpoints) if name.isupper()])
def test_every_failpoint_is_reached_in_one_place_and_asked_for_by_the_campaign(name: str) -> None:
    sources = [path.read_text() for path in (ROOT / "apps").rglob("*.py")]

    assert sum(source.count(f"failpoints.reach(failpoints.{name})") for source in sources) == 1
    assert f"failpoint(failpoints.{name})" in (ROOT / "tests/crash/faults.py").read_text()


def test_nobody_dies_without_the_setting(settings: Any) -> None:
    assert settings.FAILPOINTS == ""
    failpoints.reach(failpoints.BEFORE_INSERT)


def test_a_socket_folds_an_account_as_its_next_snapshot_shows_it() -> None:
    def order(number: int, status: str) -> dict[str, str]:
        return {"id": str(number), "status": status}

    def balance(asset: str, total: str) -> dict[str, str]:
        return {"asset": asset, "total": total}

    followed, later = AccountFigures(), AccountFigures()
    followed.whole(
        {
            "orders": [order(1, "open"), order(2, "open")],
            "balances": [balance("BTC", "1.0"), balance("USDT", "9.0")],
            "fills": [{"id": str(number)} for number in range(50, 0, -1)],
        }
    )

    followed.fold(
        {
            "orders": [order(1, "filled"), order(3, "partially_filled")],
            "balances": [balance("USDT", "8.0")],
            "fills": [{"id": "51"}],
        }
    )

    later.whole(
        {
            "orders": [order(3, "partially_filled"), order(2, "open")],
            "balances": [balance("BTC", "1.0"), balance("USDT", "8.0")],
            "fills": [{"id": str(number)} for number in range(51, 1, -1)],
        }
    )
    assert followed == later
    later.fold({"orders": [], "balances": [balance("USDT", "7.0")], "fills": []})
    assert followed != later
