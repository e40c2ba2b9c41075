"""From a failing seed's thousands of commands to the few that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from apps.engine.messages import AnyCommand
from tests.simulation.run import check_determinism, follow, recorded, restart

Trace = list[tuple[AnyCommand, int]]
Fails = Callable[[Trace], bool]

SECONDS_MAX = 300.0
EVERY_CUT_MAX = 200


def decides_otherwise(trace: Trace) -> bool:
    """Whether engine, naive engine and auditor disagree somewhere."""
    try:
        follow(trace)
    except Exception:  # Whatever it is, it is what is looked for.
        return True
    return False


def is_not_deterministic(trace: Trace) -> bool:
    """Whether a replay or a snapshot leads elsewhere: one anywhere, where the trace is short."""
    try:
        journal = recorded(trace)
        check_determinism(0, journal)
        if len(trace) <= EVERY_CUT_MAX:
            for cut in range(len(trace)):
                assert restart(journal, cut).state_hash() == journal.final_hash
    except Exception:  # Whatever it is, it is what is looked for.
        return True
    return False


def shrink(trace: Trace, fails: Fails, seconds: float = SECONDS_MAX) -> Trace:
    """Leave out whatever may be left out, halves first, single commands last.

    What is left still fails. It is minimal, in that nothing more can be left out alone, unless
    time ran out before.
    """
    give_up_at = time.monotonic() + seconds
    size = max(1, len(trace) // 2)
    while True:
        before = len(trace)
        start = 0
        while start < len(trace) and time.monotonic() < give_up_at:
            shorter = trace[:start] + trace[start + size :]
            if shorter and fails(shorter):
                trace = shorter
            else:
                start += size
        if time.monotonic() >= give_up_at or (size == 1 and len(trace) == before):
            return trace
        if len(trace) == before or size > len(trace):
            size = max(1, min(size, len(trace)) // 2)


def told(trace: Trace) -> str:
    """The trace as Python, one command a line."""
    return "\n".join(f"    ({command!r}, {now_ns})," for command, now_ns in trace)
