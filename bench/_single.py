"""One command at a time through the gateway: prints the latencies in milliseconds, sorted."""

from __future__ import annotations

import json
import sys
import time

import django

from bench import _services
from bench._sender import LiveCommands
from bench.flow import ACCOUNTS, OPERATIONS, generate

ROUNDS = 2_000
WARM_UP = 200
PACKED = 500


def main() -> list[float]:
    django.setup()
    from apps.matching.gateway import get_gateway

    _services.wait_until_leading()
    gateway = get_gateway()
    commands = LiveCommands()
    opening = commands.opening()
    for start in range(0, len(opening), PACKED):
        gateway.submit_many(opening[start : start + PACKED], timeout_seconds=10)
    flow = generate((ROUNDS + WARM_UP + ACCOUNTS) / sum(OPERATIONS.values()))
    taken_ms: list[float] = []
    for operation in flow.operations[: ROUNDS + WARM_UP]:
        command = commands.operation(operation)
        started = time.perf_counter()
        reply = gateway.submit(command)
        taken_ms.append((time.perf_counter() - started) * 1000)
        if reply.rejected is not None:
            raise AssertionError(f"the flow should never be refused: {reply.rejected.reason}")
    return sorted(taken_ms[WARM_UP:])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
