"""The engine's bench on a small piece of its flow: it runs, and everybody fills the same."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bench import __main__ as bench_main
from bench import engine as engine_bench
from bench._soak import slope_percent
from bench.flow import OPERATIONS, generate
from bench.peers import installed
from bench.report import Result, table


def test_the_flow_is_the_same_every_time() -> None:
    first, second = generate(0.003), generate(0.003)

    assert first == second
    assert Counter(operation.kind for operation in first.operations) == Counter(
        {"passive": 497, "cancel": 314, "take": 89}
    )
    assert sum(OPERATIONS.values()) == 300_000


def test_the_bench_measures_and_peers_fill_the_same() -> None:
    found = {result.metric: result for result in engine_bench.run(0.01)}

    assert found["commands"].value == 3_000
    assert found["trades"].value > 300
    assert found["pipeline, batches of 500"].bar == 150_000
    assert found["one command, p99"].better == "lower"
    for peer in installed():
        assert found[f"{peer.name}: same fills as ours"].value == 1


def test_a_result_says_whether_it_reached_its_bar() -> None:
    assert Result("b", "m", 5, "u", 5).ok
    assert not Result("b", "m", 4, "u", 5).ok
    assert Result("b", "m", 5, "u", 5, "lower").ok
    assert not Result("b", "m", 6, "u", 5, "lower").ok
    assert Result("b", "m", 6, "u").ok
    assert set(Result("b", "m", 6, "u").as_json()) == {
        "bench", "metric", "value", "unit", "bar", "ok", "machine",
    }  # fmt: skip


def test_the_runner_prints_one_object_per_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [Result("engine", "fast", 9, "x/s", 5), Result("engine", "slow", 1, "x/s", 5)]
    monkeypatch.setattr(engine_bench, "run", lambda: iter(results))

    code = bench_main.main(["engine", "--json"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    assert [(line["metric"], line["ok"]) for line in lines] == [("fast", True), ("slow", False)]
    assert "MISSED" in "\n".join(table(iter(results)))


def test_growth_is_the_slope_after_warming_up() -> None:
    warming = [[float(at), 50.0 + at] for at in range(0, 300, 5)]
    grown = [[float(at), 1000.0 * (1 + (at - 300) / 60_000)] for at in range(300, 900, 5)]
    level = [[float(at), 1000.0] for at in range(300, 900, 5)]

    assert slope_percent(warming + grown) == pytest.approx(0.995, abs=0.01)
    assert slope_percent(warming + level) == 0.0
