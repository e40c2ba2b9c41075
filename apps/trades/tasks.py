"""Background work on positions and risk."""

from __future__ import annotations

import logging

from celery import shared_task

from apps.core import clock
from apps.trades import drift, routing
from apps.trades.risk import watch

logger = logging.getLogger(__name__)


@shared_task(name="trades.check_positions", ignore_result=True)
def check_positions() -> None:
    """Say it loudly where a position is not what the ledger makes of it, and let staff see it."""
    found = drift.check()
    for words in found:
        logger.critical("Positions drift: %s", words)
    drift.remember(found, now=clock.now())


@shared_task(name="trades.watch_risk", ignore_result=True)
def watch_risk() -> None:
    """Look once at all accounts with open risk, and stop whoever has lost more than he may."""
    watch.look_once(now=clock.now())


@shared_task(name="trades.tell_block_owners", ignore_result=True)
def tell_block_owners() -> None:
    """Tell the apps that own blocks what became of them."""
    routing.tell_owners()
