"""One matching process: stands by, takes over when nobody leads, leads until told to stop.

Start is recovery: there is no other way to begin. Standing by is recovery that goes on: the
journal is replayed as it grows, so that taking over needs only its last moments. Any exception
that leaves ``run`` means that this process must end.
"""

from __future__ import annotations

import gc
import logging
import threading
from contextlib import closing
from typing import Final

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.matching import lease, replay, servers
from apps.matching.journal import CorruptJournal
from apps.matching.replay import Replayer
from apps.matching.servers import Connection
from apps.matching.writer import Writer

logger = logging.getLogger(__name__)

STANDBY_SECONDS: Final = 0.1
RECONNECT_SECONDS: Final = 0.2


class Stopped(Exception):
    """The process was told to stop while it was getting ready."""


def run(stop: threading.Event) -> None:
    """Stand by and lead until ``stop`` is set; raise when this process must not go on."""
    shard = settings.MATCHING_SHARD
    if shard != 0:
        raise ImproperlyConfigured(
            f"Shard {shard} cannot start: there is no transfer between shards yet, so only"
            " shard 0 exists. Unset MATCHING_SHARD."
        )
    try:
        _stand_by_and_lead(shard, stop)
    except Stopped:
        logger.info("Shard %d: stopped while standing by.", shard)


def _stand_by_and_lead(shard: int, stop: threading.Event) -> None:
    replayer: Replayer | None = None
    while True:
        with closing(_connect(stop)) as connection:
            try:
                replayer = replayer or _recover(connection, shard, stop)
                held = _stand_by(connection, replayer, shard, stop)
            except psycopg.OperationalError as error:
                # What has been replayed was committed, and stays true whoever writes next.
                logger.warning("PostgreSQL is away, standing by for it: %s", error)
                continue
            logger.info("Leading shard %d from seq %d, epoch %d.", shard, held.last_seq, held.epoch)
            _settle_memory()
            Writer(held, replayer, stop).run()
            logger.info("Shard %d is given up at seq %d.", shard, held.last_seq)
            return


def _connect(stop: threading.Event) -> Connection:
    said = False
    while not stop.is_set():
        try:
            return servers.postgres(name="matching-host")
        except psycopg.OperationalError as error:
            if not said:
                logger.warning("PostgreSQL cannot be reached: %s", error)
                said = True
            stop.wait(RECONNECT_SECONDS)
    raise Stopped


def _recover(connection: Connection, shard: int, stop: threading.Event) -> Replayer:
    def progress(seq: int) -> None:
        if stop.is_set():
            raise Stopped

    replayer = replay.recover(connection.cursor(binary=True), shard=shard, progress=progress)
    logger.info("Standing by for shard %d at seq %d.", shard, replayer.engine.seq)
    return replayer


def _stand_by(
    connection: Connection, replayer: Replayer, shard: int, stop: threading.Event
) -> lease.Lease:
    cursor = connection.cursor(binary=True)
    while not stop.is_set():
        replay.catch_up(replayer, cursor, shard=shard)
        held = lease.try_take(connection, shard=shard)
        if held is None:
            stop.wait(STANDBY_SECONDS)
            continue
        # From here on nobody else can write: this is the journal's end.
        replay.catch_up(replayer, cursor, shard=shard)
        if replayer.engine.seq != held.last_seq:
            raise CorruptJournal(
                replayer.engine.seq + 1, f"it ends here, but the lease says {held.last_seq}"
            )
        return held
    raise Stopped


def _settle_memory() -> None:
    gc.collect()
    gc.freeze()
    # A full collection would stop trading.
    gc.set_threshold(*replay.GC_THRESHOLDS)
