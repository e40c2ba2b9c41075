"""Fees, holds and bands: exact for every input, not only for round ones."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from apps.engine.messages import BUY, SELL
from apps.engine.rates import (
    buy_hold_minor,
    fee_minor,
    lower_band_ticks,
    notional_within_minor,
    upper_band_ticks,
    worst_in_band_ticks,
)

AMOUNTS = st.integers(0, 2**62)
RATES = st.integers(0, 100_000)


@given(AMOUNTS, RATES)
def test_a_fee_is_rounded_up(notional: int, ppm: int) -> None:
    assert fee_minor(notional, ppm) == ceil(Fraction(notional * ppm, 1_000_000))


@given(AMOUNTS, RATES)
def test_a_budget_pays_its_notional_and_fee_and_not_one_unit_more(budget: int, ppm: int) -> None:
    notional = notional_within_minor(budget, ppm)

    assert notional + fee_minor(notional, ppm) <= budget
    assert notional + 1 + fee_minor(notional + 1, ppm) > budget


@given(st.integers(1, 2**40), st.integers(1, 10_000))
def test_the_band_is_rounded_inwards(price: int, bps: int) -> None:
    upper, lower = upper_band_ticks(price, bps), lower_band_ticks(price, bps)

    assert upper == floor(Fraction(price * (10_000 + bps), 10_000))
    assert lower == max(1, ceil(Fraction(price * (10_000 - bps), 10_000)))
    assert worst_in_band_ticks(BUY, price, bps) == upper
    assert worst_in_band_ticks(SELL, price, bps) == lower


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 50)), min_size=1, max_size=12),
    st.integers(1, 10**6),
    RATES,
    RATES,
    st.integers(0, 12),
)
def test_a_hold_pays_for_every_way_to_be_filled(
    fills: list[tuple[int, int]], limit: int, maker_ppm: int, taker_ppm: int, taken: int
) -> None:
    """First as taker, then as maker, at any prices up to the limit: never short, never negative."""
    left = sum(lots for lots, _ in fills)
    top = max(maker_ppm, taker_ppm)
    hold = buy_hold_minor(left * limit, top)
    sums = {"taker": 0, "maker": 0}
    for number, (lots, cheaper) in enumerate(fills):
        role, ppm = ("taker", taker_ppm) if number < taken else ("maker", maker_ppm)
        notional = lots * max(1, limit - cheaper)
        fee = fee_minor(sums[role] + notional, ppm) - fee_minor(sums[role], ppm)
        sums[role] += notional
        left -= lots
        hold -= notional + fee
        assert hold >= 0
        hold = min(hold, buy_hold_minor(left * limit, top)) if left else 0
