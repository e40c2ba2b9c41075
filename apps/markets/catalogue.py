"""What a new market is made of, and the markets that a fresh installation lists.

Numbers are decimal text, as people write them; the action that lists a market turns them into
ticks, lots and minor units and refuses what does not fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# How long a market stays at its band before it pauses, and how long it pauses then.
LIMIT_STATE_SECONDS: Final = 15
HALT_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """A market as staff describe it. Quantities are in base, notionals in quote."""

    market_id: int
    base: str
    quote: str
    tick_size: str
    lot_size: str
    min_quantity: str
    max_quantity: str
    min_notional: str
    max_notional: str
    maker_fee_ppm: int = 800
    taker_fee_ppm: int = 1000
    band_bps: int = 1000
    max_position: str | None = None
    limit_state_seconds: int = 0
    halt_seconds: int = 0

    @property
    def symbol(self) -> str:
        return f"{self.base}-{self.quote}"


def _against_usdt(
    market_id: int, base: str, tick_size: str, lot_size: str, max_quantity: str
) -> InstrumentSpec:
    return InstrumentSpec(
        market_id, base, "USDT", tick_size, lot_size, lot_size, max_quantity, "5", "20000000",
        limit_state_seconds=LIMIT_STATE_SECONDS, halt_seconds=HALT_SECONDS,
    )  # fmt: skip


STANDARD_MARKETS: Final = (
    _against_usdt(1, "BTC", "0.01", "0.00001", "1000"),
    _against_usdt(2, "ETH", "0.01", "0.0001", "10000"),
    _against_usdt(3, "SOL", "0.01", "0.001", "100000"),
    _against_usdt(4, "XRP", "0.0001", "0.1", "5000000"),
    _against_usdt(5, "DOGE", "0.00001", "1", "50000000"),
    InstrumentSpec(
        6, "ETH", "BTC", "0.00001", "0.001", "0.001", "10000", "0.0001", "300",
        limit_state_seconds=LIMIT_STATE_SECONDS, halt_seconds=HALT_SECONDS,
    ),
)  # fmt: skip
