"""Reads of public market data. Everybody may see all of it, so nothing here asks for a viewer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from apps.core import clock
from apps.core.errors import Invalid, NotFound
from apps.core.paging import check_limit, parse_cursor
from apps.markets.models import Instrument, Trade
from apps.markets.rules import INTERVAL_MINUTES, change_bps

INTERVALS: Final = tuple(INTERVAL_MINUTES)
CANDLES_MAX: Final = 1500
# How long a process may go on speaking of a market as it was.
INSTRUMENT_SECONDS: Final = 1.0
_MINUTE: Final = timedelta(minutes=1)
# A Monday, so that weeks begin on Mondays; days and hours begin where they should anyway.
_ORIGIN: Final = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CandleRow:
    at: datetime
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    quote_minor: int


@dataclass(frozen=True, slots=True)
class Ticker24h:
    """The last 24 hours of a market. Prices are None until it has traded for the first time."""

    instrument: Instrument
    last_ticks: int | None
    open_ticks: int | None
    high_ticks: int | None
    low_ticks: int | None
    volume_lots: int
    quote_minor: int
    change_bps: int
    at: datetime | None


class _Listing:
    """The markets as they were at one moment."""

    def __init__(self, read_at: float, instruments: Sequence[Instrument]) -> None:
        self.read_at = read_at
        self.by_id = {instrument.id: instrument for instrument in instruments}
        self.by_symbol = {instrument.symbol: instrument for instrument in instruments}


_NOTHING: Final = _Listing(-math.inf, ())
_listing = _NOTHING


def visible_instruments() -> list[Instrument]:
    """Return every listed market, with its assets, in the order of listing."""
    return list(Instrument.objects.select_related("base", "quote").order_by("id"))


def recent_instruments() -> Mapping[int, Instrument]:
    """Return every market as it was at most ``INSTRUMENT_SECONDS`` ago, by id.

    For who asks all the time. What never changes of a market (its assets, ticks and lots) can be
    relied on. What does (its state, fees and limits) is the engine's to decide by; here it is only
    fit to be spoken of.
    """
    global _listing
    if time.monotonic() - _listing.read_at > INSTRUMENT_SECONDS:
        _listing = _Listing(time.monotonic(), visible_instruments())
    return _listing.by_id


def recent_instrument(symbol: str) -> Instrument:
    """Return the market as it was at most ``INSTRUMENT_SECONDS`` ago; see above."""
    recent_instruments()
    found = _listing.by_symbol.get(symbol) if isinstance(symbol, str) else None
    return found or instrument_by_symbol(symbol)


def forget_instruments() -> None:
    """Have the markets read anew: one has been listed or changed."""
    global _listing
    _listing = _NOTHING


def instrument_by_symbol(symbol: str) -> Instrument:
    """Return the market of this symbol, in whichever case it is written."""
    instrument = None
    if isinstance(symbol, str) and len(symbol) <= 25 and symbol.isascii() and symbol.isprintable():
        instrument = (
            Instrument.objects.select_related("base", "quote").filter(symbol=symbol.upper()).first()
        )
    if instrument is None:
        raise NotFound("unknown_market", "There is no such market here.")
    return instrument


def recent_trades(
    *, instrument: Instrument, limit: int = 50, before_id: str | int | None = None
) -> list[Trade]:
    """Return the newest trades first, those before the given id where there is one."""
    check_limit(limit)
    return list(
        Trade.objects.filter(instrument=instrument, id__lt=parse_cursor(before_id))
        .order_by("-id")[:limit]
    )  # fmt: skip


def candles(
    *,
    instrument: Instrument,
    interval: str,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 500,
) -> list[CandleRow]:
    """Return candles that begin in [start, end), oldest first; at most the newest ``limit``.

    Minutes without a trade have no candle. Intervals above a minute are rolled up on the way,
    from no more time than ``limit`` candles before the newest one take.
    """
    minutes = INTERVAL_MINUTES.get(interval)
    if minutes is None:
        raise Invalid("invalid_interval", f"An interval is one of {', '.join(INTERVALS)}.")
    if not 1 <= limit <= CANDLES_MAX:
        raise Invalid("invalid_limit", f"Ask for between 1 and {CANDLES_MAX} candles.")
    end = end or clock.now() + _MINUTE
    if minutes == 1:
        return _minute_candles(instrument, start, end, limit)
    width = timedelta(minutes=minutes)
    # A candle that began before ``start`` is not asked for, so its minutes are not read either.
    first = _ORIGIN if start is None else _ORIGIN - (_ORIGIN - start) // width * width
    # The last candle is whole, wherever in it the end lies.
    last = _ORIGIN + (end - _ORIGIN - timedelta(microseconds=1)) // width * width
    return _rolled_up(instrument, width, first, last + width, limit)


def ticker(*, instrument: Instrument, now: datetime | None = None) -> Ticker24h:
    """Return the last 24 hours of one market."""
    return _tickers([instrument], now or clock.now())[0]


def tickers(*, now: datetime | None = None) -> list[Ticker24h]:
    """Return the last 24 hours of every market, in two queries."""
    return _tickers(visible_instruments(), now or clock.now())


def sparkline(
    *, instruments: list[Instrument], now: datetime | None = None
) -> dict[int, list[int]]:
    """Return the closing prices of the last 24 hours, one per hour, oldest first, in one query.

    An hour without trades has the price of the hour before; hours before the first are left out.
    """
    now = now or clock.now()
    found: dict[int, list[int]] = {instrument.id: [] for instrument in instruments}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT market.id, last.close_ticks
            FROM unnest(%s::integer[]) AS market(id)
            CROSS JOIN generate_series(%s - 23 * interval '1 hour', %s, '1 hour') AS hour(ends)
            CROSS JOIN LATERAL (
                SELECT close_ticks FROM markets_candle
                WHERE instrument_id = market.id AND at < hour.ends
                    AND at >= hour.ends - interval '7 days'
                ORDER BY at DESC LIMIT 1
            ) AS last
            ORDER BY market.id, hour.ends
            """,
            [list(found), now, now],
        )
        for instrument_id, close_ticks in cursor.fetchall():
            found[instrument_id].append(close_ticks)
    return found


def closing_prices(
    *, instruments: list[Instrument], first: datetime, step: timedelta, steps: int
) -> dict[int, list[int]]:
    """Return the price at the end of each step, in one query that reads one minute for each.

    A step without trades has the price of the step before, and those before the first trade have
    what that began at. A market that has never traded is left out.
    """
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT market.id, coalesce(last.close_ticks, earliest.open_ticks)
            FROM unnest(%s::integer[]) AS market(id)
            CROSS JOIN LATERAL (
                SELECT open_ticks FROM markets_candle WHERE instrument_id = market.id
                ORDER BY at LIMIT 1
            ) AS earliest
            CROSS JOIN generate_series(1, %s) AS step(number)
            LEFT JOIN LATERAL (
                SELECT close_ticks FROM markets_candle
                WHERE instrument_id = market.id
                    AND at < %s + step.number * make_interval(secs => %s)
                ORDER BY at DESC LIMIT 1
            ) AS last ON true
            ORDER BY market.id, step.number
            """,
            [[each.id for each in instruments], steps, first, step // timedelta(seconds=1)],
        )
        for instrument_id, price_ticks in cursor.fetchall():
            found.setdefault(instrument_id, []).append(price_ticks)
    return found


def _minute_candles(
    instrument: Instrument, start: datetime | None, end: datetime, limit: int
) -> list[CandleRow]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT at, open_ticks, high_ticks, low_ticks, close_ticks, volume_lots, quote_minor
            FROM markets_candle
            WHERE instrument_id = %s AND at >= %s AND at < %s
            ORDER BY at DESC LIMIT %s
            """,
            [instrument.id, start or _ORIGIN, end, limit],
        )
        return [CandleRow(*row) for row in reversed(cursor.fetchall())]


def _rolled_up(
    instrument: Instrument, width: timedelta, first: datetime, end: datetime, limit: int
) -> list[CandleRow]:
    """Roll up the minutes of [first, end), as many as ``limit`` candles before the newest have.

    First and last price are fetched by key: sorting the minutes for them would take most of the
    time.
    """
    seconds = width // timedelta(seconds=1)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH newest AS (
                SELECT date_bin(make_interval(secs => %s), at, %s) AS begins
                FROM markets_candle WHERE instrument_id = %s AND at < %s
                ORDER BY at DESC LIMIT 1
            )
            SELECT rolled.begins,
                (SELECT open_ticks FROM markets_candle
                    WHERE instrument_id = %s AND at = rolled.opened_at),
                rolled.high_ticks, rolled.low_ticks,
                (SELECT close_ticks FROM markets_candle
                    WHERE instrument_id = %s AND at = rolled.closed_at),
                rolled.volume_lots, rolled.quote_minor
            FROM (
                SELECT date_bin(make_interval(secs => %s), at, %s) AS begins,
                    min(at) AS opened_at, max(at) AS closed_at,
                    max(high_ticks) AS high_ticks, min(low_ticks) AS low_ticks,
                    sum(volume_lots)::bigint AS volume_lots,
                    sum(quote_minor)::bigint AS quote_minor
                FROM markets_candle
                WHERE instrument_id = %s AND at >= %s AND at < %s
                    AND at >= (SELECT begins - make_interval(secs => %s) FROM newest)
                GROUP BY begins
            ) AS rolled
            ORDER BY rolled.begins
            """,
            [
                seconds, _ORIGIN, instrument.id, end, instrument.id, instrument.id,
                seconds, _ORIGIN, instrument.id, first, end, (limit - 1) * seconds,
            ],
        )  # fmt: skip
        return [CandleRow(*row) for row in cursor.fetchall()]


def _tickers(instruments: list[Instrument], now: datetime) -> list[Ticker24h]:
    since = now.replace(second=0, microsecond=0) - timedelta(hours=24) + _MINUTE
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT market.id, last.price_ticks, last.at, newest.close_ticks, newest.at,
                first.open_ticks, day.high_ticks, day.low_ticks, day.volume_lots, day.quote_minor
            FROM unnest(%s::integer[]) AS market(id)
            LEFT JOIN LATERAL (
                SELECT price_ticks, at FROM markets_trade
                WHERE instrument_id = market.id ORDER BY id DESC LIMIT 1
            ) AS last ON true
            LEFT JOIN LATERAL (
                SELECT close_ticks, at FROM markets_candle
                WHERE instrument_id = market.id ORDER BY at DESC LIMIT 1
            ) AS newest ON true
            LEFT JOIN LATERAL (
                SELECT open_ticks FROM markets_candle
                WHERE instrument_id = market.id AND at >= %s ORDER BY at LIMIT 1
            ) AS first ON true
            CROSS JOIN LATERAL (
                SELECT max(high_ticks) AS high_ticks, min(low_ticks) AS low_ticks,
                    coalesce(sum(volume_lots), 0)::bigint AS volume_lots,
                    coalesce(sum(quote_minor), 0)::bigint AS quote_minor
                FROM markets_candle WHERE instrument_id = market.id AND at >= %s
            ) AS day
            """,
            [[instrument.id for instrument in instruments], since, since],
        )
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    return [_ticker(instrument, *rows[instrument.id]) for instrument in instruments]


def _ticker(
    instrument: Instrument,
    traded_ticks: int | None, traded_at: datetime | None,
    close_ticks: int | None, closed_at: datetime | None,
    open_ticks: int | None, high_ticks: int | None, low_ticks: int | None,
    volume_lots: int, quote_minor: int,
) -> Ticker24h:  # fmt: skip
    last, at = traded_ticks, traded_at
    if last is None:
        last, at = close_ticks, closed_at
    if last is None or open_ticks is None:
        return Ticker24h(instrument, last, last, last, last, 0, 0, 0, at)
    return Ticker24h(
        instrument, last, open_ticks, high_ticks, low_ticks, volume_lots, quote_minor,
        change_bps(open_ticks, last), at,
    )  # fmt: skip
