"""The engine against the naive engine, event by event, with all invariants after every command."""

from __future__ import annotations

import pytest

from tests.simulation.flow import Flow
from tests.simulation.flow_crowds import CallingFlow, CrowdedFlow
from tests.simulation.run import check_determinism, simulate

SEEDS = 200
COMMANDS = 2_000
SEEDS_PER_TEST = 5


@pytest.mark.parametrize("first_seed", range(0, SEEDS, SEEDS_PER_TEST))
def test_engine_decides_as_the_naive_engine_does(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        simulate(seed, COMMANDS)


@pytest.mark.parametrize("first_seed", range(0, 60, SEEDS_PER_TEST))
def test_blocks_fill_and_are_allotted_as_the_naive_engine_does_it(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        simulate(seed, 700, flow=CrowdedFlow(seed))


@pytest.mark.parametrize("first_seed", range(0, 60, SEEDS_PER_TEST))
def test_auctions_of_blocks_and_icebergs_trade_as_in_the_naive_engine(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        simulate(seed, 700, flow=CallingFlow(seed))


@pytest.mark.parametrize("flow", [CrowdedFlow, CallingFlow])
@pytest.mark.parametrize("seed", range(60, 72))
def test_a_snapshot_in_the_middle_of_any_allotment_goes_on_exactly(
    seed: int, flow: type[Flow]
) -> None:
    journal = simulate(seed, 500, flow=flow(seed))

    for _ in range(4):
        check_determinism(seed, journal)
        seed += 1_000
