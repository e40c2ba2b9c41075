"""Journals of every rules version replay to what they led to when they were recorded."""

from __future__ import annotations

from apps.engine.messages import Closed, Rejected, Trade, Triggered
from tests.engine import golden_journal


def test_golden_journal_of_rules_version_1() -> None:
    golden = golden_journal.read("rules_version_1")

    replayed = [golden_journal.replay(part) for part in golden.parts]

    for part, (events, _) in zip(golden.parts, replayed, strict=True):
        for number, (now, then) in enumerate(zip(events, part.events, strict=True)):
            assert now == then, f"command {number + 1}: {part.commands[number][0]}"
    assert [golden_journal.outcome(engine) for _, engine in replayed] == golden.outcomes
    assert golden.file_sha256 == golden.recorded_sha256


def test_the_golden_journal_is_rich() -> None:
    golden = golden_journal.read("rules_version_1")
    events = [event for part in golden.parts for answer in part.events for event in answer]

    kinds = {type(event).__name__ for event in events}
    endings = {event.reason for event in events if isinstance(event, Closed)}
    reasons = {event.reason for event in events if isinstance(event, Rejected)}

    assert len(kinds) == 20
    assert endings == {
        "user", "cancel_all", "kill", "ioc", "fok", "gtd", "self_trade", "band", "budget",
        "no_liquidity",
    }  # fmt: skip
    assert len(reasons) >= 35
    assert sum(isinstance(event, Trade) for event in events) > 500
    assert sum(isinstance(event, Triggered) for event in events) > 20
