"""The whole way of a command: Valkey stream, engine, committed journal, reply.

A real matching worker, a real PostgreSQL with fsync, and the sender with its own reply listener,
all on the same cores. A command counts when its reply has arrived. No projector runs and nobody
follows: those are benches of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import _services
from bench.report import Result

PACKED = 500


def run() -> Iterator[Result]:
    for metric, per_entry, scale, bar in (
        (f"{PACKED} commands per stream entry", PACKED, 1.0, 100_000.0),
        ("one command per stream entry", 1, 0.5, 50_000.0),
    ):
        speed = float(_measured("bench._sender", per_entry, scale))
        yield Result("durable", metric, speed, "commands/s", bar)
    latency_ms: list[float] = json.loads(_measured("bench._single"))
    for share, bar in ((0.5, 3.0), (0.99, 15.0)):
        value = latency_ms[int(len(latency_ms) * share)]
        yield Result("durable", f"one at a time, p{share * 100:g}", value, "ms", bar, "lower")


def _measured(module: str, *arguments: object) -> str:
    with _services.running() as services:
        services.start_worker("a")
        return services.run(module, *arguments)
