"""Figures by the hour, of two days, as bars. An hour that is over is counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from apps.pages.desk.kept import kept
from apps.trades.positions import VALUE_ASSET_ID

HOURS: Final = 48
HOUR: Final = timedelta(hours=1)
# What was decided within an hour is in the tables by then.
SETTLED_AFTER: Final = timedelta(minutes=2)
# Orders of people only; those of the house are in no table.
_ORDERS: Final = """
    SELECT date_trunc('hour', created_at), count(*) FROM trades_order
    WHERE created_at >= %s AND created_at < %s GROUP BY 1
"""
# What is quoted in something else counts at the mark of that.
_TRADES: Final = """
    SELECT date_trunc('hour', candle.at), sum(candle.trade_count)::bigint,
        coalesce(sum(CASE WHEN market.quote_id = %s THEN candle.quote_minor::numeric
            ELSE div(candle.quote_minor::numeric * mark.price_ticks * valued.tick_lot_minor,
                valued.lot_minor) END), 0)::bigint
    FROM markets_candle AS candle
    JOIN markets_instrument AS market ON market.id = candle.instrument_id
    LEFT JOIN markets_instrument AS valued
        ON valued.base_id = market.quote_id AND valued.quote_id = %s
    LEFT JOIN trades_riskmark AS mark ON mark.instrument_id = valued.id
    WHERE candle.at >= %s AND candle.at < %s AND NOT candle.synthetic
    GROUP BY 1
"""
_KEPT_SECONDS: Final = (HOURS + 2) * 3600
BAR_WIDTH: Final = 10
HEIGHT: Final = 100


@dataclass(frozen=True, slots=True)
class Hour:
    at: datetime
    orders: int
    trades: int
    volume_minor: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in a picture of ``HOURS * BAR_WIDTH`` by ``HEIGHT``, and what it stands for."""

    x: int
    y: int
    height: int
    words: str


def last_hours(*, now: datetime) -> list[Hour]:
    """Return the hours up to the present one, in four queries, or in two where it was asked."""
    present = _hour_of(now)
    since = present - (HOURS - 1) * HOUR
    settled = _hour_of(now - SETTLED_AFTER)
    name = f"hours:{since:%Y%m%d%H}:{settled:%Y%m%d%H}"
    over = kept(name, lambda: _read(since, settled), _KEPT_SECONDS)
    return [*over, *_read(settled, present + HOUR)]


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def bars(values: Sequence[int], words: Sequence[str]) -> list[Bar]:
    """Return the bars; the highest one fills the picture, and one that is not zero is seen."""
    most = max(values, default=0)
    found = []
    for place, (value, said) in enumerate(zip(values, words, strict=True)):
        height = max(1, value * HEIGHT // most) if value else 0
        found.append(Bar(place * BAR_WIDTH, HEIGHT - height, height, said))
    return found


def _read(since: datetime, until: datetime) -> list[Hour]:
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS, [since, until])
        orders = dict(cursor.fetchall())
        cursor.execute(_TRADES, [VALUE_ASSET_ID, VALUE_ASSET_ID, since, until])
        trades = {at: (count, volume) for at, count, volume in cursor.fetchall()}
    steps = (until - since) // HOUR
    hours = [since + step * HOUR for step in range(steps)]
    return [Hour(at, orders.get(at, 0), *trades.get(at, (0, 0))) for at in hours]
