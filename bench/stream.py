"""Live data to many sockets of one web process: memory, delivery, delay, processor time.

A real web process and a real Valkey. The listeners share the machine with it, so the delay is an
upper bound; memory and processor time are the web process's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import _services
from bench.report import Result

SOCKETS = 10_000
SECONDS = 10


def run(sockets: int = SOCKETS) -> Iterator[Result]:
    with _services.running() as services:
        services.environment["LIVE_SOCKETS_PER_ADDRESS"] = str(2 * sockets)
        slow = sockets // 100
        measured = json.loads(services.run("bench._listeners", sockets, SECONDS, slow))
    name = f"{sockets:,} sockets at 1 message/s"
    yield Result("stream", f"{name}: memory", measured["memory_mib"], "MiB", 400.0, "lower")
    yield Result("stream", f"{name}: delivered", measured["delivered"] * 100, "%", 100.0)
    yield Result("stream", f"{name}: p99", measured["p99_seconds"], "s", 1.0, "lower")
    yield Result("stream", f"{name}: p50", measured["p50_seconds"], "s")
    yield Result("stream", f"{name}: processor", measured["cpu_us"], "us/message")
    name = "beside 1 % that never read"
    kept = measured["slow_kept_seconds"]
    yield Result("stream", f"{name}: these are cut after", kept, "s", 10.0, "lower")
    delivered = measured["beside_slow_delivered"] * 100
    yield Result("stream", f"{name}: others delivered", delivered, "%", 100.0)
    # A fifth more than without them, and never less than a fiftieth of a second more.
    bar = max(measured["p99_seconds"] * 1.2, measured["p99_seconds"] + 0.02)
    p99 = measured["beside_slow_p99_seconds"]
    yield Result("stream", f"{name}: others' p99", p99, "s", bar, "lower")
    yield Result("stream", f"{name}: memory", measured["beside_slow_memory_mib"], "MiB")
