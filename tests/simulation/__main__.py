"""Runs seeds: ``python -m tests.simulation [FIRST] [COMMANDS] [SEEDS] [--jobs N] [--score]``.

One seed repeats a failure, with every check after every command. ``make sim`` runs a thousand. A
seed that fails prints the one line that repeats it, and the fewest commands that show it.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.run import (
    Failed,
    check_determinism,
    check_determinism_at_once,
    simulate,
)
from tests.simulation.shrink import decides_otherwise, is_not_deterministic, shrink, told

# Young objects are looked at as ever; the whole heap never is.
GC_THRESHOLDS = (50_000, 50, 1_000_000_000)
# In the long run the whole order book is compared every so many commands.
SPACING = 8


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("first", nargs="?", type=int, default=0)
    parser.add_argument("commands", nargs="?", type=int, default=2_000)
    parser.add_argument("seeds", nargs="?", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--score", action="store_true", help="count the planted bugs found, too")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    spacing = 1 if options.seeds == 1 else SPACING
    run = partial(run_seed, count=options.commands, spacing=spacing)
    failed = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for done, (words, ok) in enumerate(pool.map(run, seeds), 1):
            failed += not ok
            if not ok or options.seeds == 1 or done % 100 == 0:
                _say(f"{done}/{options.seeds} {words}")
    seconds = time.monotonic() - began
    total = options.commands * options.seeds
    _say(
        f"{options.seeds - failed}/{options.seeds} seeds of {options.commands:,} commands are"
        f" sound: {seconds:.0f} s, {total / seconds:,.0f} commands/s on {options.jobs} cores"
    )
    missed = _score() if options.score else []
    return 1 if failed or missed else 0


def run_seed(seed: int, count: int, spacing: int) -> tuple[str, bool]:
    """One seed to its end, or to the fewest commands that show what is wrong."""
    gc.set_threshold(*GC_THRESHOLDS)
    again = f"SIM_SEED={seed} SIM_COMMANDS={count}: python -m tests.simulation {seed} {count}"
    try:
        journal = simulate(seed, count, spacing=spacing)
    except Failed as error:
        fewest = shrink(error.trace, decides_otherwise)
        return f"{error}\n{len(fewest)} commands are enough:\n{told(fewest)}", False
    check = check_determinism if spacing == 1 else check_determinism_at_once
    try:
        check(seed, journal)
    except Exception as error:  # Whatever a replay or a snapshot stumbles over is a failure.
        fewest = shrink(journal.commands, is_not_deterministic)
        words = f"{again}\nnot deterministic: {type(error).__name__}: {error}"
        return f"{words}\n{len(fewest)} commands are enough:\n{told(fewest)}", False
    return f"seed {seed}: {count} commands, hash {journal.final_hash[:16]}", True


def _score() -> list[str]:
    """How many of the planted bugs the simulator finds."""
    from tests.simulation.test_planted_bugs import BUGS, found

    missed = [name for name in BUGS if not found(name)]
    _say(f"planted bugs found: {len(BUGS) - len(missed)}/{len(BUGS)}")
    for name in missed:
        _say(f"missed: {name}")
    return missed


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
