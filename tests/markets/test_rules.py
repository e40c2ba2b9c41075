"""Prices and quantities as text and back, without a database."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Invalid
from apps.markets.rules import (
    average_price_minor,
    change_bps,
    decimals_of,
    format_amount,
    format_price,
    format_quantity,
    parse_price,
    parse_quantity,
)


@dataclass(frozen=True)
class Asset:
    code: str
    scale: int = 8
    display_decimals: int = 2


@dataclass(frozen=True)
class Market:
    symbol: str
    base: Asset
    quote: Asset
    tick_size_minor: int
    lot_minor: int


BTC_USDT = Market("BTC-USDT", Asset("BTC", 8, 8), Asset("USDT"), 1_000_000, 1_000)
DOGE_USDT = Market("DOGE-USDT", Asset("DOGE"), Asset("USDT"), 1_000, 100_000_000)


def test_prices_and_quantities_have_the_decimals_of_their_steps() -> None:
    assert format_price(6_000_000, BTC_USDT) == "60000.00"
    assert format_price(1, BTC_USDT) == "0.01"
    assert format_quantity(1, BTC_USDT) == "0.00001"
    assert format_price(12_345, DOGE_USDT) == "0.12345"
    assert format_quantity(7, DOGE_USDT) == "7"
    assert format_amount(6_000_500_000, BTC_USDT.quote) == "60.005"
    assert format_amount(0, BTC_USDT.quote) == "0.00"


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("60000", 6_000_000), ("60000.01", 6_000_001), ("0.01", 1), ("60000.1", 6_000_010)],
)
def test_a_price_on_a_tick_is_read(text: str, ticks: int) -> None:
    assert parse_price(text, BTC_USDT) == ticks


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("60000.001", "tick_size"), ("0.000000001", "precision"), ("0", "invalid_amount"),
        ("0.00", "invalid_amount"), ("-1", "invalid_amount"), ("1e3", "invalid_amount"),
        (" 1", "invalid_amount"), ("1_000", "invalid_amount"), ("٣", "invalid_amount"),
        ("", "invalid_amount"), ("NaN", "invalid_amount"), (60000, "amount_must_be_string"),
        (60000.5, "amount_must_be_string"), (None, "amount_must_be_string"),
        (True, "amount_must_be_string"), ("99999999999999999999", "invalid_amount"),
    ],
)  # fmt: skip
def test_any_other_price_is_refused(text: object, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_price(text, BTC_USDT)

    assert refused.value.code == code


def test_a_quantity_between_lots_is_refused_in_words() -> None:
    with pytest.raises(Invalid) as refused:
        parse_quantity("0.000015", BTC_USDT)

    assert refused.value.code == "lot_size"
    assert refused.value.message == "Quantities of BTC-USDT go in steps of 0.00001 BTC."
    assert refused.value.data == {"lot_size": "0.00001"}


@given(st.integers(1, 10**12), st.sampled_from([BTC_USDT, DOGE_USDT]))
def test_what_is_written_is_read_back(number: int, market: Market) -> None:
    number = min(number, 2**62 // max(market.tick_size_minor, market.lot_minor))

    assert parse_price(format_price(number, market), market) == number
    assert parse_quantity(format_quantity(number, market), market) == number


@pytest.mark.parametrize(
    ("step", "decimals"),
    [(1, 8), (10, 7), (1_000_000, 2), (100_000_000, 0), (10**10, 0), (5, 8), (50, 7)],
)
def test_a_step_needs_its_decimals(step: int, decimals: int) -> None:
    assert decimals_of(step, 8) == decimals


@pytest.mark.parametrize(
    ("opening", "last", "bps"),
    [(100, 100, 0), (100, 101, 100), (100, 99, -100), (30_000, 30_001, 0), (20_000, 20_001, 1),
     (20_000, 19_999, -1), (3, 1, -6667), (3, 4, 3333)],
)  # fmt: skip
def test_changes_are_rounded_half_away_from_zero(opening: int, last: int, bps: int) -> None:
    assert change_bps(opening, last) == bps


def test_an_average_price_is_rounded_half_up() -> None:
    # 100 USDT for 3 BTC, and 1 minor unit of USDT for 2 BTC.
    assert average_price_minor(100 * 10**8, 3 * 10**8, 8) == 3_333_333_333
    assert average_price_minor(1, 2 * 10**8, 8) == 1
