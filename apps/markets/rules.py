"""Prices and quantities of a market as text and back, and the arithmetic of candles.

Whole numbers only. What lies between two ticks or two lots is refused, never rounded.
"""

from __future__ import annotations

from typing import Final, Protocol

from apps.core.errors import Invalid
from apps.core.money import format_minor, parse_positive

BPS: Final = 10_000

# How many minutes one candle of an interval has.
INTERVAL_MINUTES: Final = {
    "1m": 1,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "4h": 240,
    "1d": 1440,
    "1w": 10_080,
}


class AssetUnits(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def scale(self) -> int: ...
    @property
    def display_decimals(self) -> int: ...


class Units(Protocol):
    """What of an instrument decides how its numbers are written."""

    @property
    def symbol(self) -> str: ...
    @property
    def base(self) -> AssetUnits: ...
    @property
    def quote(self) -> AssetUnits: ...
    @property
    def tick_size_minor(self) -> int: ...
    @property
    def lot_minor(self) -> int: ...


class Priced(Protocol):
    """What of an instrument says what a quantity of its base asset is worth."""

    @property
    def lot_minor(self) -> int: ...
    @property
    def tick_lot_minor(self) -> int: ...


def parse_price(text: object, instrument: Units) -> int:
    """Return the price in ticks; it must be more than zero and lie on a tick."""
    minor = parse_positive(text, instrument.quote.scale)
    ticks, rest = divmod(minor, instrument.tick_size_minor)
    if rest:
        step = format_price(1, instrument)
        raise Invalid(
            "tick_size", f"Prices of {instrument.symbol} go in steps of {step}.", tick_size=step
        )
    return ticks


def parse_quantity(text: object, instrument: Units) -> int:
    """Return the quantity in lots; it must be more than zero and a whole number of lots."""
    minor = parse_positive(text, instrument.base.scale)
    lots, rest = divmod(minor, instrument.lot_minor)
    if rest:
        step = format_quantity(1, instrument)
        raise Invalid(
            "lot_size",
            f"Quantities of {instrument.symbol} go in steps of {step} {instrument.base.code}.",
            lot_size=step,
        )
    return lots


def format_price(ticks: int, instrument: Units) -> str:
    """Return the price with as many decimals as the tick has."""
    scale, tick = instrument.quote.scale, instrument.tick_size_minor
    return format_minor(ticks * tick, scale, min_decimals=decimals_of(tick, scale))


def format_quantity(lots: int, instrument: Units) -> str:
    """Return the quantity with as many decimals as the lot has."""
    scale, lot = instrument.base.scale, instrument.lot_minor
    return format_minor(lots * lot, scale, min_decimals=decimals_of(lot, scale))


def format_quote(minor: int, instrument: Units) -> str:
    """Return an amount of the quote asset exactly, with at least its usual decimals."""
    return format_amount(minor, instrument.quote)


def format_amount(minor: int, asset: AssetUnits) -> str:
    """Return an amount of an asset exactly, with at least its usual decimals."""
    return format_minor(minor, asset.scale, min_decimals=asset.display_decimals)


def decimals_of(step_minor: int, scale: int) -> int:
    """Return how many decimals a multiple of the step can have."""
    decimals = scale
    while decimals and step_minor % 10 == 0:
        step_minor //= 10
        decimals -= 1
    return decimals


def average_price_minor(quote_minor: int, base_minor: int, base_scale: int) -> int:
    """Return the price of one whole base unit in quote minor units, rounded half up."""
    one_unit: int = 10**base_scale
    return (2 * quote_minor * one_unit + base_minor) // (2 * base_minor)


def worth_minor(amount_minor: int, price_ticks: int, instrument: Priced) -> int:
    """Return the value of an amount of the base asset in quote minor units, cut off."""
    return amount_minor * price_ticks * instrument.tick_lot_minor // instrument.lot_minor


def change_bps(open_ticks: int, last_ticks: int) -> int:
    """Return the change in basis points of the opening price, rounded half away from zero."""
    doubled = 2 * BPS * (last_ticks - open_ticks)
    magnitude = (abs(doubled) + open_ticks) // (2 * open_ticks)
    return magnitude if doubled >= 0 else -magnitude
