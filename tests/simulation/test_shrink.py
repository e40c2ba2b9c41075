"""A failure is brought down to the few commands that show it, and says how to see it again."""

from __future__ import annotations

import pytest

from apps.engine.messages import Tick
from tests.simulation import __main__ as simulator
from tests.simulation.run import Failed, simulate
from tests.simulation.shrink import decides_otherwise, is_not_deterministic, shrink, told
from tests.simulation.test_planted_bugs import BUGS, plant


@pytest.mark.needs_source
def test_a_wrong_fee_shrinks_to_a_handful_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, *BUGS["maker's fee rounded down"])
    with pytest.raises(Failed) as caught:
        simulate(0, 400)

    fewest = shrink(caught.value.trace, decides_otherwise)

    assert str(caught.value).startswith("SIM_SEED=")
    # A market, two accounts, what they pay with, and two orders that meet.
    assert len(fewest) <= 8
    assert decides_otherwise(fewest)
    assert not any(decides_otherwise(fewest[:n] + fewest[n + 1 :]) for n in range(len(fewest)))
    assert told(fewest).count("\n") == len(fewest) - 1


@pytest.mark.needs_source
def test_what_a_snapshot_loses_shrinks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = simulate(0, 200).commands
    plant(monkeypatch, *BUGS["remembered commands lost in the snapshot"])

    fewest = shrink(trace, is_not_deterministic, seconds=60)

    assert len(fewest) <= 8


def test_what_does_not_fail_is_sound() -> None:
    trace = simulate(1, 100).commands

    assert not decides_otherwise(trace)
    assert not is_not_deterministic(trace)


def test_shrinking_stops_in_time() -> None:
    command = (Tick(bytes(16), 0), 0)

    assert shrink([command] * 100, lambda trace: True, seconds=0) == [command] * 100


@pytest.mark.needs_source
def test_a_failing_seed_is_told_with_its_line_and_its_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, *BUGS["maker's fee rounded down"])

    words, ok = simulator.run_seed(0, 400, 8)

    assert not ok
    assert "SIM_SEED=0 SIM_COMMANDS=400: python -m tests.simulation 0 400" in words
    assert "commands are enough" in words


def test_the_simulator_sums_up_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    code = simulator.main(["3", "60", "2"])

    assert code == 0
    assert "2/2 seeds of 60 commands are sound" in capsys.readouterr().out
