"""Arithmetic of fees, holds and bands: integers only, every rounding stated."""

from __future__ import annotations

from typing import Final

from apps.engine.messages import BUY

PPM: Final = 1_000_000
BPS: Final = 10_000


def fee_minor(notional_minor: int, fee_ppm: int) -> int:
    """Rounded up, into the house."""
    return (notional_minor * fee_ppm + 999_999) // PPM


def buy_hold_minor(notional_minor: int, fee_ppm: int) -> int:
    """What a buy reserves for a worst-case notional: its fees round up once per role."""
    return notional_minor + (notional_minor * fee_ppm + 999_999) // PPM + 1


def notional_within_minor(budget_minor: int, fee_ppm: int) -> int:
    """The largest notional that a budget pays together with its fee, exactly."""
    return budget_minor * PPM // (PPM + fee_ppm)


def upper_band_ticks(price_ticks: int, band_bps: int) -> int:
    return price_ticks * (BPS + band_bps) // BPS


def lower_band_ticks(price_ticks: int, band_bps: int) -> int:
    return max(1, -(-price_ticks * (BPS - band_bps) // BPS))


def worst_in_band_ticks(side: int, price_ticks: int, band_bps: int) -> int:
    """The worst price at which an order of this side may trade around a price."""
    if side == BUY:
        return upper_band_ticks(price_ticks, band_bps)
    return lower_band_ticks(price_ticks, band_bps)


def trail_distance_ticks(best_ticks: int, trail_ticks: int, trail_bps: int) -> int:
    """How far a trailing stop stays behind the best price: at least a tick, rounded towards it."""
    return trail_ticks or max(1, best_ticks * trail_bps // BPS)
