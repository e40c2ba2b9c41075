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


def run() -> Iterator[Result]:
    with _services.running() as services:
        services.environment["LIVE_SOCKETS_PER_ADDRESS"] = str(2 * SOCKETS)
        measured = json.loads(services.run("bench._listeners", SOCKETS, SECONDS))
    name = f"{SOCKETS:,} sockets at 1 message/s"
    yield Result("stream", f"{name}: memory", measured["memory_mib"], "MiB", 400.0, "lower")
    yield Result("stream", f"{name}: delivered", measured["delivered"] * 100, "%", 100.0)
    yield Result("stream", f"{name}: p99", measured["p99_seconds"], "s", 1.0, "lower")
    yield Result("stream", f"{name}: p50", measured["p50_seconds"], "s")
    yield Result("stream", f"{name}: processor", measured["cpu_us"], "us/message")
