"""``python -m tests.simulation SEED [COMMANDS] [SEEDS]``: repeats a seed, or runs many."""

from __future__ import annotations

import sys

from tests.simulation.run import check_determinism, simulate


def main(arguments: list[str]) -> None:
    first, count, seeds = [*map(int, arguments), *(0, 2_000, 1)[len(arguments) :]]
    for seed in range(first, first + seeds):
        journal = simulate(seed, count)
        check_determinism(seed, journal)
        sys.stdout.write(f"seed {seed}: {count} commands, hash {journal.final_hash[:16]}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
