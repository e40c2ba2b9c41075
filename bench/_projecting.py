"""``python -m bench._projecting``: projects a journal to its end; says how long it took."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import closing
from typing import Any

import django
import psutil

from bench.flow import ACCOUNTS, FIRST_ACCOUNT_ID, START_NS


def main() -> dict[str, Any]:
    django.setup()
    from apps.matching import projections, projector, replay

    _make_ready()
    tables = [table for each in projections.registered() for table in each.tables]
    running = projector.Projector(threading.Event())
    with closing(projector.connect()) as connection:
        running.find_place(connection)
        # The accounts and their funds: one row, and not what is measured.
        running.step(connection)
        before = _rows(connection, tables)
        first_seq = running.projected_seq
        longest = 0.0
        backend = psutil.Process(connection.info.backend_pid)
        started, python, postgres = time.perf_counter(), time.process_time(), _used(backend)
        with replay.young_collections_only():
            while True:
                began = time.perf_counter()
                if not running.step(connection):
                    break
                longest = max(longest, time.perf_counter() - began)
        seconds = time.perf_counter() - started
        python, postgres = time.process_time() - python, _used(backend) - postgres
        after = _rows(connection, tables)
    return {
        "commands": running.projected_seq - first_seq,
        "seconds": seconds,
        "python": python,
        "postgres": postgres,
        "longest": longest,
        "rows": {table: after[table] - before[table] for table in tables},
    }


def _make_ready() -> None:
    """Make what is there in life before an order comes: the month's tables, and the accounts."""
    from apps.core import clock, partitions
    from apps.wallets.models import TradingAccount

    at = clock.from_ns(START_NS)
    partitions.ensure_registered(at)
    TradingAccount.objects.bulk_create(
        TradingAccount(
            id=FIRST_ACCOUNT_ID + number,
            kind=TradingAccount.Kind.HOUSE,
            name="",
            trade_group=0,
            created_at=at,
        )
        for number in range(ACCOUNTS)
    )


def _used(process: psutil.Process) -> float:
    """Return the processor time of a process so far, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _rows(connection: Any, tables: list[str]) -> dict[str, int]:
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
