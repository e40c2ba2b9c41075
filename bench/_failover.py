"""``python -m bench._failover``: kills the writer; prints the seconds to the next answer."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import django

from bench._sender import LiveCommands
from bench.flow import FIRST_ACCOUNT_ID, MARKET_ID, MID_TICKS

PATIENCE_SECONDS = 30.0


def main() -> float:
    django.setup()
    from apps.engine.messages import BUY, GTC, LIMIT, Place, Terms
    from apps.matching import servers, wire
    from apps.matching.gateway import get_gateway
    from apps.matching.models import Lease

    # No projector runs here, and gateways refuse orders where the projections are far behind.
    servers.valkey().set(wire.projected_key(0), f"{2**40}:0")
    gateway = get_gateway()
    commands = LiveCommands()
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 1, price_ticks=MID_TICKS - 2_000)

    def place(name: str) -> Place:
        valid_until_ns = commands.head()[1]
        return Place(os.urandom(16), valid_until_ns, FIRST_ACCOUNT_ID, name, terms)

    first = f"before-{time.time_ns()}"
    _answered(gateway, place(first))
    pid = int(Lease.objects.get().holder.rpartition(":")[2])
    order = place(f"after-{time.time_ns()}")
    started = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    _answered(gateway, order)
    return time.perf_counter() - started


def _answered(gateway: Any, order: Any) -> None:
    """Send it until it is answered, as the same intent."""
    from apps.core.errors import Unavailable

    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            reply = gateway.submit(order, timeout_seconds=5)
        except Unavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
            continue
        if reply.rejected is not None:
            raise AssertionError(f"refused: {reply.rejected.reason}")
        return


if __name__ == "__main__":
    sys.stdout.write(f"{main()}\n")
