"""Decimal text to whole minor units and back: the only door for amounts.

Amounts arrive as strings of plain ASCII digits and leave as strings. Floats, signs, exponents,
spaces, underscores and digits of other alphabets are refused, and so is every loss of precision.
"""

from __future__ import annotations

import re
from typing import Final

from apps.core.errors import Invalid
from apps.engine.messages import AMOUNT_MAX

# What an amount looks like, for those who write clients.
PATTERN: Final = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"
_DECIMAL: Final = re.compile(r"(0|[1-9]\d{0,17})(?:\.(\d{1,18}))?", re.ASCII)


def check_text(text: object) -> str:
    """Return the text where it is an amount more than zero, whatever its scale."""
    whole, decimals = _split(text)
    if not (whole + decimals).strip("0"):
        raise Invalid("invalid_amount", "The amount must be more than zero.")
    return str(text)


def parse_decimal(text: object, scale: int) -> int:
    """Return the amount in minor units of ``10**-scale``; zero is an amount, nothing below is.

    More decimals than ``scale`` are refused even where they are zeros: who writes them means an
    asset of another scale.
    """
    whole, decimals = _split(text)
    if len(decimals) > scale:
        raise Invalid("precision", f"At most {scale} decimals are possible here.", decimals=scale)
    minor = int(whole + decimals.ljust(scale, "0"))
    if minor > AMOUNT_MAX:
        raise Invalid("invalid_amount", "The amount is larger than anything that can be held.")
    return minor


def _split(text: object) -> tuple[str, str]:
    """Return the digits before and after the point."""
    if not isinstance(text, str):
        raise Invalid("amount_must_be_string", 'Write the amount as a string, for example "0.25".')
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise Invalid(
            "invalid_amount",
            "Write the amount as plain digits with a point before the decimals, "
            'for example "0.25".',
        )
    return match[1], match[2] or ""


def parse_positive(text: object, scale: int) -> int:
    """Return the amount in minor units; zero is refused."""
    minor = parse_decimal(text, scale)
    if minor == 0:
        raise Invalid("invalid_amount", "The amount must be more than zero.")
    return minor


def format_minor(minor: int, scale: int, min_decimals: int = 0, strip: bool = True) -> str:
    """Return the amount as decimal text, without trailing zeros beyond ``min_decimals``.

    With ``strip=False`` all ``scale`` decimals are written.
    """
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(scale + 1, "0")
    whole, decimals = digits[: len(digits) - scale], digits[len(digits) - scale :]
    if strip:
        decimals = decimals.rstrip("0").ljust(min_decimals, "0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
