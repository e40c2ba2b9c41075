"""Orders through the whole web stack, as an app sends them: HTTP, REST framework, durable reply.

A real web process, matching worker, projector, PostgreSQL with fsync and Valkey, and the sender
with them on the same cores. Orders leave on a fixed timetable whatever came back, and a delay is
counted from the moment at which its order was due: a stall cannot hide by holding the sender up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import _services
from bench.report import Result

ORDERS_PER_SECOND = 150
SECONDS = 20


def run() -> Iterator[Result]:
    with _services.running() as services:
        services.start_worker("a")
        found = json.loads(services.run("bench._orders", ORDERS_PER_SECOND, SECONDS))
    name = f"POST order, {ORDERS_PER_SECOND}/s"
    yield Result("rest", f"{name}: p50", found["p50_ms"], "ms", 25.0, "lower")
    yield Result("rest", f"{name}: p99", found["p99_ms"], "ms", 100.0, "lower")
    yield Result("rest", f"{name}: accepted", found["accepted"] * 100, "%", 100.0)
    yield Result("rest", f"{name}: answers 5xx", found["failed"], "answers", 0, "lower")
    yield Result("rest", "as fast as answers come", found["most_per_second"], "orders/s")
