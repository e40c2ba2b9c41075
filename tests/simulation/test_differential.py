"""The engine against the naive engine, event by event, with all invariants after every command."""

from __future__ import annotations

import pytest

from tests.simulation.run import simulate

SEEDS = 200
COMMANDS = 2_000
SEEDS_PER_TEST = 5


@pytest.mark.parametrize("first_seed", range(0, SEEDS, SEEDS_PER_TEST))
def test_engine_decides_as_the_naive_engine_does(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        simulate(seed, COMMANDS)
