"""The process behind live market data: follows the engine, folds, publishes. One at a time.

It begins with the engine's state and the projected tables, and whenever it cannot go on (a gap, a
new market, a lost lock, a service that was away) it begins again. Readers never notice more than a
new snapshot. It decides nothing and writes nothing that cannot be made again.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from typing import Final

import psycopg
import redis
from django.db import DatabaseError, close_old_connections, connection, transaction

from apps.core import clock
from apps.core.realtime.connections import client, key
from apps.core.realtime.publish import SOURCE_PREFIX, Message, publish_all
from apps.markets.live import (
    DAY_MINUTES,
    MINUTE_NS,
    TAPE_TRADES,
    Board,
    Day,
    Market,
    Minute,
    OutOfStep,
    Side,
)
from apps.markets.models import Candle, Instrument
from apps.markets.presentation import trade_json
from apps.markets.queries import recent_trades, visible_instruments
from apps.matching.follow import ReplicaView, follow, replica
from apps.matching.queries import projected_seq

logger = logging.getLogger(__name__)

SOURCE: Final = "markets"
FLUSH_SECONDS: Final = 0.1
# In flushes: a ticker five times a second, all of them together twice.
TICKER_FLUSHES: Final = 2
TICKERS_FLUSHES: Final = 5
LEASE_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 1.0
BACK_OFF_MAX_SECONDS: Final = 5.0

_RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] == 'fresh' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
return 1
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])
"""


class Lease:
    """The right to publish, and with it the heartbeat by which readers know the data is alive."""

    def __init__(self) -> None:
        self._lock = key("live:publisher")
        self._heartbeat = key(SOURCE_PREFIX + SOURCE)
        self._token = secrets.token_hex(16)
        self._renew_at = 0.0

    @property
    def fence(self) -> tuple[str, str]:
        return self._lock, self._token

    def take(self) -> bool:
        """Take the lease where nobody has it."""
        lease_ms = int(LEASE_SECONDS * 1000)
        return bool(client().set(self._lock, self._token, nx=True, px=lease_ms))

    def keep(self, *, fresh: bool) -> bool:
        """Renew it when it is time; False says that somebody else has it, or nobody.

        The heart beats only while what has been published is ``fresh``.
        """
        now = time.monotonic()
        if now < self._renew_at:
            return True
        self._renew_at = now + RENEW_SECONDS
        said = (self._token, str(int(LEASE_SECONDS * 1000)), "fresh" if fresh else "")
        return bool(client().eval(_RENEW, 2, self._lock, self._heartbeat, *said))

    def release(self) -> None:
        client().eval(_RELEASE, 2, self._lock, self._heartbeat, self._token)


class Publisher:
    """Runs until ``stop`` is set. ``resyncs`` counts how often it had to begin again."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.resyncs = -1

    def run(self) -> None:
        pause_seconds = FLUSH_SECONDS
        while not self._stop.is_set():
            began_at = time.monotonic()
            try:
                self._publish_while_leading()
            except OutOfStep as reason:
                logger.warning("Beginning again from the engine's state: %s", reason)
            except (redis.RedisError, psycopg.Error, DatabaseError, OSError) as error:
                logger.warning("A service is away, trying again: %s", error)
            if time.monotonic() - began_at > BACK_OFF_MAX_SECONDS:
                pause_seconds = FLUSH_SECONDS
            self._stop.wait(pause_seconds)
            pause_seconds = min(BACK_OFF_MAX_SECONDS, pause_seconds * 2)

    def _publish_while_leading(self) -> None:
        lease = Lease()
        while not lease.take():
            if self._stop.wait(RENEW_SECONDS):
                return
        try:
            self.resyncs += 1
            board = load_board(self._stop)
            logger.info("Following from %d (begun again %d times).", board.seq, self.resyncs)
            self._follow(board, lease)
        finally:
            try:
                lease.release()
            except redis.RedisError as error:
                logger.debug("The lease runs out by itself: %s", error)

    def _follow(self, board: Board, lease: Lease) -> None:
        flushes = _Flushes(board, lease)
        for batch in follow(board.seq, self._stop):
            if batch is not None:
                for entry in batch.entries:
                    board.fold(entry.seq, entry.at_ns, entry.events)
            if not flushes.run():
                return


class _Flushes:
    """Sends what has changed, as often as is useful and no more."""

    def __init__(self, board: Board, lease: Lease) -> None:
        self._board = board
        self._lease = lease
        self._due_at = 0.0
        self._count = 0
        self._begin = True

    def run(self) -> bool:
        """Send what is due; False says that this process may not publish any more."""
        now = time.monotonic()
        if now < self._due_at:
            return True
        self._due_at = now + FLUSH_SECONDS
        if not self._lease.keep(fresh=not self._begin):
            return False
        if self._board.complete:
            # What may not have arrived is not continued: the next thing sent is the whole state.
            self._begin = not publish_all(self._messages(), fence=self._lease.fence)
        return True

    def _messages(self) -> list[Message]:
        self._count += 1
        now_ns = clock.now_ns()
        if self._begin:
            return self._board.start_anew(now_ns)
        messages = self._board.changes()
        if self._count % TICKERS_FLUSHES == 0:
            messages += self._board.tickers_of_all(now_ns)
        elif self._count % TICKER_FLUSHES == 0:
            messages += self._board.tickers(now_ns)
        return messages


def load_board(stop: threading.Event) -> Board:
    """Return books from the engine's state, and tapes and candles from the tables.

    The two are as of different commands; the board folds each from where it is.
    """
    close_old_connections()
    book_seq, view = replica()
    while projected_seq() < book_seq and not _all_projected(view):
        if stop.wait(FLUSH_SECONDS):
            break
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        trade_seq = projected_seq()
        markets = {
            instrument.id: _market(instrument, view)
            for instrument in visible_instruments()
            if instrument.id in view.instruments
        }
    connection.close()
    return Board(markets, book_seq=book_seq, trade_seq=trade_seq)


def _all_projected(view: ReplicaView) -> bool:
    return set(view.instruments) <= {instrument.id for instrument in visible_instruments()}


def _market(instrument: Instrument, view: ReplicaView) -> Market:
    bids, asks = view.depth(instrument.id)
    trades = recent_trades(instrument=instrument, limit=TAPE_TRADES)
    phase, phase_until_ns = next(
        (phase, until_ns) for market_id, phase, until_ns in view.phases()
        if market_id == instrument.id
    )  # fmt: skip
    indicated = next(
        (price, lots, surplus) for market_id, price, lots, surplus in view.indications()
        if market_id == instrument.id
    )  # fmt: skip
    auction_at_ns = clock.to_ns(instrument.auction_at) if instrument.auction_at else 0
    tape = [trade_json(trade, instrument) for trade in reversed(trades)]
    last = (trades[0].price_ticks, clock.to_ns(trades[0].at)) if trades else None
    return Market(
        instrument,
        Side(bids, is_bid=True),
        Side(asks, is_bid=False),
        _day(instrument, last),
        deque(tape, maxlen=TAPE_TRADES),
        phase=phase,
        phase_until_ns=phase_until_ns,
        indicated=indicated,
        last_auction=(instrument.auction_ticks, instrument.auction_lots, auction_at_ns),
    )


def _day(instrument: Instrument, last: tuple[int, int] | None) -> Day:
    newest = Candle.objects.filter(instrument=instrument).order_by("-at")
    since = clock.from_ns((clock.now_ns() // MINUTE_NS - DAY_MINUTES) * MINUTE_NS)
    rows = newest.filter(at__gte=since).values_list(
        "at", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume_lots",
        "quote_minor", "synthetic",
    )  # fmt: skip
    minutes = {clock.to_ns(row[0]) // MINUTE_NS: Minute(*row[1:]) for row in rows}
    if last is None:
        closed = newest.values_list("close_ticks", "at").first()
        last = (closed[0], clock.to_ns(closed[1])) if closed else None
    return Day(minutes, last)
