"""Celery's part: it keeps a host running in each matching worker, and takes snapshots.

A host that fails takes its whole process down: what it held in memory is not to be trusted, and
the worker that is started in its place recovers from the journal.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import psycopg
from celery import shared_task, signals
from celery.utils.nodenames import worker_direct
from django.conf import settings

from apps.matching import host, replay
from apps.matching.lease import LeaseLost

logger = logging.getLogger(__name__)

QUEUE = "matching"
FAILED_EXIT_CODE = 70

_stop = threading.Event()
_hosting = threading.Lock()


@shared_task(name="matching.ensure", ignore_result=True, acks_late=False)
def ensure() -> None:
    """Host the engine in this thread until the worker stops; return at once where one is hosted."""
    if _stop.is_set() or not _hosting.acquire(blocking=False):
        return
    try:
        host.run(_stop)
    except (LeaseLost, psycopg.OperationalError) as reason:
        # Nothing broke: another writes now, or the database is away. Where in the code this one
        # learnt of it says nothing to whoever reads the terminal.
        logger.error(
            "This process no longer writes (%s). It ends; what it had not committed never happened."
            " Another leads, and this one stands by when it is started again.",
            " ".join(str(reason).split()).rstrip("."),
        )
        os._exit(FAILED_EXIT_CODE)
    except BaseException:
        logger.critical("The matching host failed: this process ends.", exc_info=True)
        os._exit(FAILED_EXIT_CODE)
    finally:
        _hosting.release()


@shared_task(name="matching.take_snapshot", ignore_result=True)
def take_snapshot() -> None:
    """Store the present state, unless nothing has happened since the last time."""
    seq = replay.take_snapshot(shard=settings.MATCHING_SHARD)
    if seq is not None:
        logger.info("Snapshot taken at seq %d.", seq)


@signals.worker_ready.connect
def start_hosting(sender: Any, **_: Any) -> None:
    """Have this very worker host the engine, without waiting for Beat."""
    if QUEUE in sender.app.amqp.queues.consume_from:
        ensure.apply_async(queue=worker_direct(sender.hostname))


@signals.worker_shutting_down.connect
def stop_hosting(**_: Any) -> None:
    """Give the lease up at once, so that another worker leads before this one has gone."""
    _stop.set()
