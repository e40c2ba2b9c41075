"""Marks: what one of each asset is worth now, and whether anybody may be judged by it.

A mark is the last price, brought between best bid and best ask. It is fresh while the books are
being published and both sides are there, or for ten seconds after a trade. A stale mark stays what
it was when it was last fresh: it changes nobody's figures, and nobody is judged by it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import redis.exceptions
from django.db import connection

from apps.markets.books import stored_books
from apps.markets.models import Instrument
from apps.markets.queries import recent_instruments
from apps.markets.rules import parse_price
from apps.trades.positions import VALUE_ASSET_ID
from apps.trades.risk.models import RiskMark
from apps.trades.risk.rules import middle_ticks

STALE_AFTER: Final = timedelta(seconds=10)
# A mark that has not changed is written again only so often.
WRITTEN_EVERY: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a market's base asset is worth; ``fresh`` where that may be relied on."""

    instrument: Instrument
    price_ticks: int
    fresh: bool


def look_at_marks(*, now: datetime) -> list[Mark]:
    """Return the marks of all assets that have one, and remember the fresh ones."""
    markets = [
        each for each in recent_instruments().values() if each.quote_id == VALUE_ASSET_ID
    ]  # fmt: skip
    trades = _last_trades([market.id for market in markets])
    books = _books([market.symbol for market in markets])
    kept = {mark.instrument_id: mark for mark in RiskMark.objects.all()}
    found, changed = [], []
    for market in markets:
        last = trades.get(market.id)
        price = _fresh_ticks(market, last, books.get(market.symbol), now)
        before = kept.get(market.id)
        if price is not None:
            found.append(Mark(market, price, fresh=True))
            if before is None or before.price_ticks != price or now - before.at > WRITTEN_EVERY:
                changed.append(RiskMark(instrument_id=market.id, price_ticks=price, at=now))
        elif before is not None:
            found.append(Mark(market, before.price_ticks, fresh=False))
        elif last is not None:
            found.append(Mark(market, last[0], fresh=False))
    if changed:
        RiskMark.objects.bulk_create(
            sorted(changed, key=lambda mark: mark.instrument_id),
            update_conflicts=True, unique_fields=["instrument"],
            update_fields=["price_ticks", "at"],
        )  # fmt: skip
    return found


def known_marks(*, now: datetime) -> list[Mark]:
    """Return the marks as they were remembered last; for pages, which look and write nothing."""
    instruments = recent_instruments()
    return [
        Mark(instruments[mark.instrument_id], mark.price_ticks, now - mark.at <= STALE_AFTER)
        for mark in RiskMark.objects.order_by("instrument_id")
        if mark.instrument_id in instruments
    ]


def _fresh_ticks(
    market: Instrument,
    last: tuple[int, datetime] | None,
    book: Mapping[str, Any] | None,
    now: datetime,
) -> int | None:
    middle = None
    if book is not None:
        bid, ask = _best(book, "bids", market), _best(book, "asks", market)
        middle = middle_ticks(bid, ask, None if last is None else last[0])
    if middle is None and last is not None and now - last[1] <= STALE_AFTER:
        return last[0]
    return middle


def _best(book: Mapping[str, Any], side: str, market: Instrument) -> int | None:
    levels = book["data"][side]
    return parse_price(levels[0][0], market) if levels else None


def _books(symbols: list[str]) -> Mapping[str, Mapping[str, Any] | None]:
    try:
        return stored_books(symbols)
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        # Without books only markets that trade have fresh marks.
        return {}


def _last_trades(market_ids: list[int]) -> dict[int, tuple[int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT market.id, last.price_ticks, last.at"
            " FROM unnest(%s::integer[]) AS market(id) CROSS JOIN LATERAL ("
            " SELECT price_ticks, at FROM markets_trade WHERE instrument_id = market.id"
            " ORDER BY id DESC LIMIT 1) AS last",
            [market_ids],
        )
        return {market_id: (ticks, at) for market_id, ticks, at in cursor.fetchall()}
