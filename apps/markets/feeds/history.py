"""Candles for time that nobody recorded: what the synthetic world would have traded.

Pure arithmetic on whole numbers. Minutes are counted since 1970. The path either ends where the
caller says, or starts where the last candle closed, or both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from apps.markets.feeds.base import MarketScale
from apps.markets.feeds.prices import FINE, MILLI, MINUTE_NS, Chance, PriceProcess
from apps.markets.feeds.world import MARKETS, MINOR, WorldMarket

MINUTES_PER_DAY: Final = 1440

# Wicks reach up to half as far again as the candle does.
_WICK: Final = 2**15 - 1
_WICK_SHIFT: Final = 16

# Trading through the day, by hour in UTC, thousandths of usual: quiet nights, busy afternoons.
_HOUR_MILLI: Final = (
    820, 780, 740, 700, 690, 700, 760, 850, 960, 1010, 1000, 980,
    1020, 1180, 1350, 1380, 1300, 1180, 1080, 1020, 1000, 980, 930, 880,
)  # fmt: skip


class Candle(NamedTuple):
    minute: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    quote_minor: int
    trade_count: int


@dataclass(frozen=True, slots=True)
class WorldPath:
    """Closing prices (fine) of every asset, one more than minutes, and how hot each minute was."""

    first_minute: int
    closes: Mapping[str, list[int]]
    heats: list[int]

    @property
    def minutes(self) -> int:
        return len(self.heats)


def draw_path(
    seed: int,
    first_minute: int,
    minutes: int,
    start_fine: Mapping[str, int],
    end_fine: Mapping[str, int],
) -> WorldPath:
    """Draw the world's prices from ``start_fine``; assets in ``end_fine`` end exactly there."""
    process = PriceProcess(Chance(seed), start_fine, MINUTE_NS)
    closes: dict[str, list[int]] = {code: [price] for code, price in process.fine.items()}
    heats: list[int] = []
    for minute in range(first_minute, first_minute + minutes):
        process.advance()
        for code, price in process.fine.items():
            closes[code].append(price)
        heats.append(process.heat_milli * _HOUR_MILLI[minute // 60 % 24] // MILLI)
    for code, end in end_fine.items():
        closes[code] = _bent_to(closes[code], end)
    return WorldPath(first_minute, closes, heats)


def scaled_to_end(path: WorldPath, end_fine: Mapping[str, int]) -> WorldPath:
    """Return the path with each asset multiplied so that it ends there; its start is free."""
    closes = {
        code: [price * end_fine[code] // prices[-1] for price in prices]
        for code, prices in path.closes.items()
    }
    return WorldPath(path.first_minute, closes, path.heats)


def candles(
    path: WorldPath,
    scale: MarketScale,
    tick_lot_minor: int,
    seed: int,
    *,
    skip_minutes: int = 0,
    start_ticks: int = 0,
) -> Iterator[Candle]:
    """Yield the candles of one market along the path, after the minutes that it has already.

    With ``start_ticks`` the first one opens there: the difference to the path fades until its end.
    """
    market, chance = MARKETS[scale.symbol], Chance(seed)
    ticks = _closes_in_ticks(path, market, scale)[skip_minutes:]
    if start_ticks:
        ticks = _started_at(ticks, start_ticks)
    lot_values = _lot_values(path, market, scale)[skip_minutes:]
    # One draw per candle, cut into pieces: half a million candles are made while people wait.
    draw, sizes = chance.bits, chance.sizes
    first_minute = path.first_minute + skip_minutes
    patience, trades = market.patience_ticks, market.trades_per_minute
    usual_minor = market.minute_value_minor
    opening = ticks[0]
    for index, heat in enumerate(path.heats[skip_minutes:]):
        dice = draw(112)
        closing = ticks[index + 1]
        top, bottom = (closing, opening) if closing > opening else (opening, closing)
        reach = top - bottom + patience * heat // MILLI + 1
        high = top + (reach * (dice & _WICK) >> _WICK_SHIFT)
        low = max(bottom - (reach * (dice >> 16 & _WICK) >> _WICK_SHIFT), 1)
        busy = heat * (700 + min(300 * (high - low) // reach, 600)) // MILLI
        size = sizes[(dice >> 48).bit_count()]
        lots = usual_minor * busy * size // (2 * MILLI * sizes[32] * lot_values[index + 1]) or 1
        count = trades * busy * (500 + (dice >> 32 & 1023)) // MILLI**2 or 1
        yield Candle(
            first_minute + index,
            opening, high, low, closing,
            lots, (opening + closing + high + low) // 4 * lots * tick_lot_minor, min(count, lots),
        )  # fmt: skip
        opening = closing


def _closes_in_ticks(path: WorldPath, market: WorldMarket, scale: MarketScale) -> list[int]:
    base = path.closes[market.base]
    quote = path.closes.get(market.quote)
    tick = scale.tick_minor
    if quote is None:
        return [max(price // (FINE * tick), 1) for price in base]
    return [
        max(price * MINOR // (other * tick), 1) for price, other in zip(base, quote, strict=True)
    ]


def _lot_values(path: WorldPath, market: WorldMarket, scale: MarketScale) -> list[int]:
    """Return what one lot is worth in minor units of USDT, at each close."""
    unit = MINOR * FINE
    return [max(price * scale.lot_minor // unit, 1) for price in path.closes[market.base]]


def _bent_to(prices: list[int], end: int) -> list[int]:
    """Return the prices bent step by step so that the last one is ``end``, the first unchanged."""
    last, steps = prices[-1], len(prices) - 1
    return [
        price + price * (end - last) * index // (last * steps) if steps else end
        for index, price in enumerate(prices)
    ]


def _started_at(prices: list[int], start: int) -> list[int]:
    """Return the prices bent so that the first one is ``start``, the last unchanged."""
    first, steps = prices[0], max(len(prices) - 1, 1)
    return [
        max(price + price * (start - first) * (steps - index) // (first * steps), 1)
        for index, price in enumerate(prices)
    ]
