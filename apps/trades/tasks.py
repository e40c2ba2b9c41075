"""Background work on positions."""

from __future__ import annotations

import logging

from celery import shared_task

from apps.trades import drift

logger = logging.getLogger(__name__)


@shared_task(name="trades.check_positions", ignore_result=True)
def check_positions() -> None:
    """Say it loudly where a position is not what the ledger makes of it."""
    for words in drift.check():
        logger.critical("Positions drift: %s", words)
