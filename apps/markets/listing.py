"""The rows of every list of markets: ticker, sparkline, favourites, search and order.

Reads only; what a row holds is ready to be shown. Volumes in different quote assets are compared by
their value in the quote asset that most markets have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from apps.markets.presentation import ticker_json
from apps.markets.queries import Ticker24h, sparkline, tickers

VALUE_ASSET: Final = "USDT"
SPARK_WIDTH: Final = 1200
SPARK_HEIGHT: Final = 320


@dataclass(frozen=True, slots=True)
class Row:
    """One market in a list. ``volume_value_minor`` is its volume in the common quote asset.

    ``fits`` says whether it is searched for: what is not is drawn all the same, so that a script
    can show it when the search changes.
    """

    ticker: Ticker24h
    data: dict[str, object]
    spark: str
    favourite: bool
    fits: bool
    volume_value_minor: int

    @property
    def symbol(self) -> str:
        return self.ticker.instrument.symbol


_SORTS: Final[dict[str, Callable[[Row], int | str]]] = {
    "market": lambda row: row.symbol,
    "last": lambda row: _value_of(row.ticker),
    "change": lambda row: row.ticker.change_bps,
    "volume": lambda row: row.volume_value_minor,
}


def market_rows(
    *,
    search: str = "",
    sort: str = "",
    descending: bool = False,
    favourites: Collection[str] = (),
    only_favourites: bool = False,
) -> list[Row]:
    """Return the markets in the order asked for; an unknown order is the listing's."""
    found = tickers()
    sparks = sparkline(instruments=[ticker.instrument for ticker in found])
    values = {
        ticker.instrument.base.code: ticker
        for ticker in found
        if ticker.instrument.quote.code == VALUE_ASSET
    }
    rows = [
        Row(
            ticker=ticker,
            data=ticker_json(ticker),
            spark=spark_points(sparks[ticker.instrument.id]),
            favourite=ticker.instrument.symbol in favourites,
            fits=_fits(ticker, search),
            volume_value_minor=_volume_value(ticker, values),
        )
        for ticker in found
    ]
    if only_favourites:
        rows = [row for row in rows if row.favourite]
    if sort in _SORTS:
        rows.sort(key=_SORTS[sort], reverse=descending)
    return rows


def spark_points(closes: list[int]) -> str:
    """Return the points of an SVG polyline that fills the sparkline's box."""
    if len(closes) < 2:
        return ""
    low, high = min(closes), max(closes)
    span = high - low or 1
    last = len(closes) - 1
    return " ".join(
        f"{index * SPARK_WIDTH // last},{10 + (high - close) * (SPARK_HEIGHT - 20) // span}"
        for index, close in enumerate(closes)
    )


def _fits(ticker: Ticker24h, search: str) -> bool:
    instrument = ticker.instrument
    wanted = search.strip().lower()
    names = (instrument.symbol, instrument.base.name, instrument.symbol.replace("-", "/"))
    return not wanted or any(wanted in name.lower() for name in names)


def _value_of(ticker: Ticker24h) -> int:
    return (ticker.last_ticks or 0) * ticker.instrument.tick_size_minor


def _volume_value(ticker: Ticker24h, values: dict[str, Ticker24h]) -> int:
    quote = ticker.instrument.quote
    if quote.code == VALUE_ASSET or quote.code not in values:
        return ticker.quote_minor
    return ticker.quote_minor * _value_of(values[quote.code]) // 10**quote.scale
