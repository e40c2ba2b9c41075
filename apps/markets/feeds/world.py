"""What the synthetic world holds: assets that move together, and markets with a believable face.

Numbers only; how they move is in ``prices``, how a book looks in ``synthetic_book``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINOR: Final = 10**8
QUOTE: Final = "USDT"


@dataclass(frozen=True, slots=True)
class WorldAsset:
    """``common_ppm`` is how much of an asset's moves the whole market shares with it."""

    code: str
    start_minor: int
    year_volatility_bps: int
    common_ppm: int


@dataclass(frozen=True, slots=True)
class WorldMarket:
    """Sizes are USDT minor units: of a typical level, a typical trade, and a usual minute."""

    symbol: str
    base: str
    quote: str
    spread_ticks: int
    gap_ticks: int
    patience_ticks: int
    level_value_minor: int
    trade_value_minor: int
    minute_value_minor: int
    trades_per_minute: int
    flickers_per_minute: int


ASSETS: Final = {
    asset.code: asset
    for asset in (
        WorldAsset("BTC", 100_000 * MINOR, 5_000, 880_000),
        WorldAsset("ETH", 3_500 * MINOR, 6_500, 820_000),
        WorldAsset("SOL", 180 * MINOR, 8_500, 750_000),
        WorldAsset("XRP", 240 * MINOR // 100, 8_000, 640_000),
        WorldAsset("DOGE", 22 * MINOR // 100, 9_500, 690_000),
    )
}

MARKETS: Final = {
    market.symbol: market
    for market in (
        WorldMarket("BTC-USDT", "BTC", "USDT", 1, 320, 900,
                    45_000 * MINOR, 2_600 * MINOR, 1_900_000 * MINOR, 100, 60),
        WorldMarket("ETH-USDT", "ETH", "USDT", 1, 16, 60,
                    30_000 * MINOR, 1_900 * MINOR, 900_000 * MINOR, 60, 40),
        WorldMarket("SOL-USDT", "SOL", "USDT", 1, 1, 5,
                    16_000 * MINOR, 1_200 * MINOR, 280_000 * MINOR, 40, 24),
        WorldMarket("XRP-USDT", "XRP", "USDT", 1, 1, 6,
                    14_000 * MINOR, 900 * MINOR, 300_000 * MINOR, 34, 24),
        WorldMarket("DOGE-USDT", "DOGE", "USDT", 1, 1, 6,
                    9_000 * MINOR, 600 * MINOR, 220_000 * MINOR, 28, 20),
        WorldMarket("ETH-BTC", "ETH", "BTC", 1, 1, 1,
                    12_000 * MINOR, 900 * MINOR, 20_000 * MINOR, 14, 16),
    )
}  # fmt: skip
