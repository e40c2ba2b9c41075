"""Projecting: from committed journal rows to every table that people read.

The journal is written from the flow of ``bench.flow`` by the real engine, in rows of 500 commands.
The projector reads it as in life (chain, hashes, decoding), writes balances, ledger, orders, fills,
tape and candles, and commits with fsync. Every account is a person's, which is the dearest case:
orders and fills of the house are not stored. At the end ``verify`` compares every table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import _services
from bench.report import Result

COMMANDS = 300_000


def run() -> Iterator[Result]:
    with _services.running() as services:
        services.run("bench._journal", COMMANDS, 0)
        found = json.loads(services.run("bench._projecting"))
        seconds = found["seconds"]
        orders = found["rows"]["trades_order"]
        yield Result("projector", "orders, all tables", orders / seconds, "orders/s", 30_000)
        yield Result("projector", "commands", found["commands"] / seconds, "commands/s")
        yield Result("projector", "rows", sum(found["rows"].values()) / seconds, "rows/s")
        for table, rows in found["rows"].items():
            yield Result("projector", f"{table}, {rows:,} rows", rows / seconds, "rows/s")
        # Both work at the same time; beside other work this says more than the rate.
        for side in ("python", "postgres"):
            used_micros = found[side] / orders * 1e6
            yield Result("projector", f"processor time of {side}", used_micros, "µs/order")
        yield Result("projector", "longest transaction", found["longest"] * 1000, "ms")
        services.run("manage", "verify")
