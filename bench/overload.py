"""Three times as many orders as usual, for a minute: who is refused is told so at once, and when to
come back; who is accepted hardly notices; and afterwards all is as it was.

Orders leave on a timetable that does not wait for answers, each on a connection of its own while it
is out, as if from so many people. A delay is counted from the moment at which its order was due.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import _services
from bench.report import Result

ORDERS_PER_SECOND = 150
TIMES = 3
SECONDS = 60


def run(seconds: int = SECONDS, per_second: int = ORDERS_PER_SECOND) -> Iterator[Result]:
    with _services.running() as services:
        services.start_worker("a")
        found = json.loads(services.run("bench._overload", per_second, TIMES, seconds))
    name = f"{TIMES} x {per_second}/s"
    normal = found["normal_p99_ms"]
    yield Result("overload", "usual load: p99", normal, "ms")
    yield Result("overload", f"{name}: accepted", found["accepted_per_second"], "orders/s")
    yield Result("overload", f"{name}: refused", found["refused"] * 100, "%")
    p99 = found["overload_p99_ms"]
    yield Result("overload", f"{name}: p99 of the accepted", p99, "ms", 2 * normal, "lower")
    refused_p99 = found["refused_p99_ms"]
    yield Result("overload", f"{name}: p99 of the refused", refused_p99, "ms")
    others = found["other_answers"]
    yield Result("overload", "answers but 201, 429, 503", others, "answers", 0, "lower")
    without = found["without_retry_after"]
    yield Result("overload", "refusals without Retry-After", without, "answers", 0, "lower")
    after = found["after_p99_ms"]
    yield Result("overload", "usual load 10 s later: p99", after, "ms", 1.2 * normal + 10, "lower")
    yield Result("overload", "accepted, and lost", found["lost"], "orders", 0, "lower")
