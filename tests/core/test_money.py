"""Decimal text in and out: exact, and strict about what counts as an amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Invalid
from apps.core.money import format_minor, parse_decimal, parse_positive
from apps.engine.messages import AMOUNT_MAX


@pytest.mark.parametrize(
    ("text", "scale", "minor"),
    [
        ("0", 8, 0),
        ("0.00000001", 8, 1),
        ("1", 8, 100_000_000),
        ("1.5", 8, 150_000_000),
        ("46116860184.27387904", 8, AMOUNT_MAX),
        ("7", 0, 7),
        ("1.10", 2, 110),
    ],
)
def test_plain_digits_become_minor_units(text: str, scale: int, minor: int) -> None:
    assert parse_decimal(text, scale) == minor


@pytest.mark.parametrize(
    "text",
    [
        "", "-1", "-0", "+1", " 1 ", "1 ", "1\n", "\n1", "1_000", "1,000", "1E+2", "1e400", "1e-30",
        "NaN", "sNaN", "Infinity", "-inf", "٣", "１", "01", "00", ".5", "5.", "1.2.3", "0x10",
        "1\x00", "9" * 19, "9" * 5000, str(2**70), "46116860184.27387905", "1.1234567890123456789",
    ],
)  # fmt: skip
def test_anything_but_plain_digits_is_no_amount(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_decimal(text, 8)

    assert refusal.value.code == "invalid_amount"


@pytest.mark.parametrize("value", [5, 0.1, True, None, [], {}, b"1"])
def test_only_strings_are_amounts(value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_decimal(value, 8)

    assert refusal.value.code == "amount_must_be_string"


@pytest.mark.parametrize(("text", "scale"), [("1.123456789", 8), ("1.10", 1), ("1.0", 0)])
def test_more_decimals_than_the_asset_has_are_refused(text: str, scale: int) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_decimal(text, scale)

    assert refusal.value.code == "precision"
    assert refusal.value.data == {"decimals": scale}


def test_zero_is_no_positive_amount() -> None:
    assert parse_positive("0.1", 1) == 1
    with pytest.raises(Invalid) as refusal:
        parse_positive("0.0", 1)

    assert refusal.value.code == "invalid_amount"


@pytest.mark.parametrize(
    ("minor", "scale", "options", "text"),
    [
        (0, 8, {}, "0"),
        (1, 8, {}, "0.00000001"),
        (150_000_000, 8, {}, "1.5"),
        (150_000_000, 8, {"min_decimals": 2}, "1.50"),
        (100_000_000, 8, {"min_decimals": 2}, "1.00"),
        (123_456_789, 8, {"min_decimals": 2}, "1.23456789"),
        (150_000_000, 8, {"strip": False}, "1.50000000"),
        (-5, 2, {}, "-0.05"),
        (100, 0, {}, "100"),
        (1000, 2, {}, "10"),
    ],
)
def test_minor_units_become_text(
    minor: int, scale: int, options: dict[str, int], text: str
) -> None:
    assert format_minor(minor, scale, **options) == text  # type: ignore[arg-type]


@given(st.integers(0, AMOUNT_MAX), st.integers(0, 18), st.booleans())
def test_text_and_back_is_the_same_amount(minor: int, scale: int, strip: bool) -> None:
    if len(str(minor)) - scale > 18:
        minor = minor % 10 ** (18 + scale)

    assert parse_decimal(format_minor(minor, scale, strip=strip), scale) == minor
