"""Writes synthetic candles where there are none: before the first trade, and over a time of rest.

What is there is never changed. A market that has candles goes on from its last one; one that has
none gets a past that ends where its feed begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from django.db import IntegrityError, connection, transaction

from apps.markets.feeds.history import (
    MINUTES_PER_DAY,
    Candle,
    WorldPath,
    candles,
    draw_path,
    scaled_to_end,
)
from apps.markets.feeds.prices import FINE
from apps.markets.feeds.sources import (
    REPLAY_ASSET,
    REPLAY_SYMBOL,
    last_prices_minor,
    scale_of,
)
from apps.markets.feeds.synthetic import start_prices
from apps.markets.models import Candle as CandleRow
from apps.markets.models import Instrument

HISTORY_DAYS: Final = 60
TRIES: Final = 3
_ROWS_PER_WRITE: Final = 2000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COPY: Final = (
    "COPY markets_candle (instrument_id, at, open_ticks, high_ticks, low_ticks, close_ticks,"
    " volume_lots, quote_minor, trade_count, synthetic) FROM STDIN"
)


@dataclass(frozen=True, slots=True)
class _Gap:
    """What one market lacks: minutes from ``first_minute``, after a close at ``last_ticks``."""

    instrument: Instrument
    first_minute: int
    last_ticks: int


def seed_history(
    *,
    instruments: Sequence[Instrument],
    now: datetime,
    replay_ticks: int = 0,
    days: int = HISTORY_DAYS,
    seed: int | None = None,
) -> int:
    """Fill every market up to the minute before ``now``; return how many candles were written.

    ``replay_ticks`` is the price at which a recording of the replayed market will begin.
    """
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                return _fill(instruments, now, replay_ticks, days, seed)
        except IntegrityError:
            # The projector wrote a candle of the same minute meanwhile: look again.
            if attempt == TRIES - 1:
                raise
    return 0


def _fill(
    instruments: Sequence[Instrument],
    now: datetime,
    replay_ticks: int,
    days: int,
    seed: int | None,
) -> int:
    end_minute = int(now.timestamp()) // 60
    oldest = end_minute - days * MINUTES_PER_DAY
    gaps = [gap for gap in _gaps(instruments, oldest) if gap.first_minute < end_minute]
    if not gaps:
        return 0
    going_on = [gap for gap in gaps if gap.last_ticks]
    new = [gap for gap in gaps if not gap.last_ticks]
    seed = end_minute if seed is None else seed
    prices = start_prices(last_prices_minor(instruments))
    steered = _replay_price(instruments, replay_ticks)
    written = 0
    if going_on:
        first = min(gap.first_minute for gap in going_on)
        path = draw_path(seed, first, end_minute - first, prices, steered)
        prices = {code: closes[-1] for code, closes in path.closes.items()}
        times = _times(path)
        written += sum(_copy(gap, path, times, seed) for gap in going_on)
    if new:
        ends = {**prices, **steered}
        path = draw_path(seed + 1, oldest, end_minute - oldest, ends, {})
        path = scaled_to_end(path, ends)
        times = _times(path)
        written += sum(_copy(gap, path, times, seed) for gap in new)
    return written


def _gaps(instruments: Sequence[Instrument], oldest_minute: int) -> Iterator[_Gap]:
    for instrument in instruments:
        last = CandleRow.objects.filter(instrument=instrument).order_by("-at").first()
        if last is None:
            yield _Gap(instrument, oldest_minute, 0)
        else:
            first = int(last.at.timestamp()) // 60 + 1
            yield _Gap(instrument, max(first, oldest_minute), last.close_ticks)


def _replay_price(instruments: Sequence[Instrument], replay_ticks: int) -> dict[str, int]:
    for instrument in instruments:
        if replay_ticks and instrument.symbol == REPLAY_SYMBOL:
            return {REPLAY_ASSET: replay_ticks * instrument.tick_size_minor * FINE}
    return {}


def _copy(gap: _Gap, path: WorldPath, times: Mapping[int, str], seed: int) -> int:
    instrument = gap.instrument
    drawn = candles(
        path,
        scale_of(instrument),
        instrument.tick_lot_minor,
        seed + instrument.id,
        skip_minutes=gap.first_minute - path.first_minute,
        start_ticks=gap.last_ticks,
    )
    count = 0
    with connection.cursor() as wrapper:
        wrapper.execute("SET LOCAL statement_timeout = 0")
        with wrapper.cursor.copy(_COPY) as copy:
            while rows := list(islice(drawn, _ROWS_PER_WRITE)):
                copy.write(_lines(instrument.id, rows, times))
                count += len(rows)
    return count


def _times(path: WorldPath) -> Mapping[int, str]:
    """Return each minute of the path as the database writes it."""
    first = _EPOCH + timedelta(minutes=path.first_minute)
    return {
        path.first_minute + index: str(first + timedelta(minutes=index))
        for index in range(path.minutes)
    }


def _lines(instrument_id: int, rows: Sequence[Candle], times: Mapping[int, str]) -> str:
    return "".join(
        f"{instrument_id}\t{times[minute]}\t{opening}\t{high}\t{low}\t{closing}"
        f"\t{lots}\t{quote}\t{count}\tt\n"
        for minute, opening, high, low, closing, lots, quote, count in rows
    )
