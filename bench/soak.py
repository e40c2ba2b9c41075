"""Half the usual load for an hour: what every process needs must not grow.

``python -m bench soak --minutes 5`` for a shorter look: whatever is filled once (caches, pools, the
ids of ten minutes) then shows as growth.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from bench import _services
from bench.report import Result

ORDERS_PER_SECOND = 75
MINUTES = 60


def run(minutes: int = MINUTES) -> Iterator[Result]:
    with _services.running() as services:
        workers = {letter: services.start_worker(letter).pid for letter in ("a", "b")}
        found = json.loads(
            services.run("bench._soak", ORDERS_PER_SECOND, minutes, json.dumps(workers))
        )
        logs = "\n".join(f"{letter}: {services.log(letter)[-2000:]}" for letter in workers)
    yield Result("soak", "minutes", minutes, "min")
    yield Result("soak", "orders accepted", found["accepted"] * 100, "%", 100.0)
    if found["ended"]:
        sys.stderr.write(f"{found['ended']}\n{logs}\n")
    yield Result("soak", "processes that ended", len(found["ended"]), "processes", 0, "lower")
    yield Result("soak", "p99", found["p99_ms"], "ms", 100.0, "lower")
    for name, each in found["processes"].items():
        yield Result("soak", f"{name}: memory", each["memory_mib"], "MiB")
        slope = each["percent_per_10_minutes"]
        yield Result("soak", f"{name}: growth in 10 minutes", slope, "%", 1.0, "lower")
