"""Terms of a market as staff write and read them: percent, amounts and seconds instead of units.

Parses what was typed, says before and after, and what a change does to those who trade.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from apps.core.errors import DomainError, Invalid
from apps.core.money import format_minor, parse_decimal
from apps.markets.rules import Units, format_amount, format_quantity, parse_quantity

# As the engine has them.
FEE_PPM_MAX: Final = 100_000
BAND_BPS_MAX: Final = 10_000
PHASE_SECONDS_MAX: Final = 24 * 3600
AMOUNT_MAX: Final = 2**62
EXAMPLE_UNITS: Final = 1000
_PPM_SCALE: Final = 4
_BPS_SCALE: Final = 2

Changes = dict[str, list[int]]


class Market(Units, Protocol):
    """A market with its present terms, by the engine's names of them."""

    @property
    def id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Term:
    """One term. Of an ``optional`` one nothing, or zero, means that there is none."""

    name: str
    label: str
    unit: Callable[[Units], str]
    parse: Callable[[str, Units], int]
    write: Callable[[int, Units], str]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    label: str
    before: str
    after: str


def _fee(text: str, market: Units) -> int:
    return _between(
        text, _PPM_SCALE, 0, FEE_PPM_MAX, "A fee is from 0 to 10 %, with at most four decimals."
    )


def _band(text: str, market: Units) -> int:
    return _between(
        text, _BPS_SCALE, 1, BAND_BPS_MAX,
        "The band is from 0.01 to 100 %, with at most two decimals.",
    )  # fmt: skip


def _seconds(text: str, market: Units) -> int:
    return _between(text, 0, 0, PHASE_SECONDS_MAX, "Whole seconds, from 0 to 86400.")


def _value(text: str, market: Units) -> int:
    quote = market.quote
    words = f"An amount of {quote.code} with at most {quote.scale} decimals, like 5 or 0.25."
    return _between(text, quote.scale, 0, AMOUNT_MAX, words)


def _quantity(text: str, market: Units) -> int:
    """A quantity is refused in the words of ``parse_quantity`` where it is between two lots."""
    base = market.base
    words = f"A quantity of {base.code} with at most {base.scale} decimals, like 5 or 0.25."
    if _between(text, base.scale, 0, AMOUNT_MAX, words) == 0:
        return 0
    return parse_quantity(text, market)


def _between(text: str, scale: int, least: int, most: int, words: str) -> int:
    try:
        number = parse_decimal(text, scale)
    except DomainError:
        raise Invalid("invalid_term", words) from None
    if not least <= number <= most:
        raise Invalid("invalid_term", words)
    return number


def _percent(unit: Units) -> str:
    return "%"


TERMS: Final = (
    Term("maker_fee_ppm", "Maker fee", _percent, _fee,
         lambda ppm, _: format_minor(ppm, _PPM_SCALE, min_decimals=2)),
    Term("taker_fee_ppm", "Taker fee", _percent, _fee,
         lambda ppm, _: format_minor(ppm, _PPM_SCALE, min_decimals=2)),
    Term("min_notional_minor", "Minimum value of an order", lambda market: market.quote.code,
         _value, lambda minor, market: format_amount(minor, market.quote), optional=True),
    Term("max_notional_minor", "Maximum value of an order", lambda market: market.quote.code,
         _value, lambda minor, market: format_amount(minor, market.quote), optional=True),
    Term("min_quantity_lots", "Minimum quantity", lambda market: market.base.code,
         _quantity, format_quantity),
    Term("max_quantity_lots", "Maximum quantity", lambda market: market.base.code,
         _quantity, format_quantity, optional=True),
    Term("max_position_lots", "Most that one account may hold", lambda market: market.base.code,
         _quantity, format_quantity, optional=True),
    Term("band_bps", "Price band to each side", _percent, _band,
         lambda bps, _: format_minor(bps, _BPS_SCALE, min_decimals=2)),
    Term("limit_state_seconds", "Time at the band before a pause", lambda _: "s", _seconds,
         lambda seconds, _: str(seconds), optional=True),
    Term("halt_seconds", "Length of a pause", lambda _: "s", _seconds,
         lambda seconds, _: str(seconds), optional=True),
)  # fmt: skip
BY_NAME: Final = {term.name: term for term in TERMS}
_FEES: Final = ("maker_fee_ppm", "taker_fee_ppm")
_DOES: Final = {
    "min_notional_minor": "New orders worth less than {after} are refused.",
    "max_notional_minor": "New orders worth more than {after} are refused.",
    "min_quantity_lots": "New orders of less than {after} are refused.",
    "max_quantity_lots": "New orders of more than {after} are refused.",
    "max_position_lots": "Purchases that would bring an account above {after} are refused; who has"
    " more keeps it.",
    "band_bps": "Prices more than {after} away from the reference of five minutes are not traded.",
    "limit_state_seconds": "A market that stays at its band for {after} is paused for an auction.",
    "halt_seconds": "Such a pause collects orders for {after}; then an auction opens the market.",
}
_DOES_NOT: Final = {
    "min_notional_minor": "Orders may be worth as little as one lot at their price.",
    "max_notional_minor": "There is no upper limit to what an order is worth.",
    "max_quantity_lots": "There is no upper limit to the quantity of an order.",
    "max_position_lots": "There is no upper limit to what an account holds.",
    "limit_state_seconds": "The market is never paused by itself: what is beyond its band is not"
    " traded, and that is all.",
    "halt_seconds": "A pause collects orders for 300 s, as where nothing is said.",
}


def typed_of(market: Market) -> dict[str, str]:
    """Return the present terms as they would be typed; what there is not is left empty."""
    return {term.name: _typed(term, getattr(market, term.name), market) for term in TERMS}


def parse_terms(typed: Mapping[str, str], market: Units) -> tuple[dict[str, int], dict[str, str]]:
    """Return the terms that can be read, and for each of the others what is wrong with it."""
    read: dict[str, int] = {}
    wrong: dict[str, str] = {}
    for term in TERMS:
        text = typed.get(term.name, "").strip()
        try:
            read[term.name] = 0 if term.optional and not text else term.parse(text, market)
        except DomainError as refusal:
            wrong[term.name] = refusal.message
    if read.get("min_quantity_lots") == 0:
        wrong["min_quantity_lots"] = "The minimum quantity is at least one lot."
    for least, most in (
        ("min_notional_minor", "max_notional_minor"),
        ("min_quantity_lots", "max_quantity_lots"),
    ):
        if 0 < read.get(most, 0) < read.get(least, 0):
            words = f"{BY_NAME[most].label} is below: {BY_NAME[least].label.lower()}."
            wrong.setdefault(most, words)
    return read, wrong


def changes_from(market: Market, wanted: Mapping[str, int]) -> Changes:
    """Return what differs from the present terms: each with what it was and what it is to be."""
    present = {name: getattr(market, name) for name in wanted}
    return {
        name: [present[name], value] for name, value in wanted.items() if present[name] != value
    }


def differences(changes: Changes, market: Units) -> list[Difference]:
    """Return the changes as people read them, in the order of the terms."""
    return [
        Difference(term.label, *(_said(term, value, market) for value in changes[term.name]))
        for term in TERMS
        if term.name in changes
    ]


def effects(changes: Changes, market: Units) -> list[str]:
    """Return in plain words what the changes do, and to whom."""
    said = [_effect(term, changes[term.name], market) for term in TERMS if term.name in changes]
    if any(name in changes for name in _FEES):
        said.append("Orders that are open keep the fees that they were placed with.")
    if any(name not in _FEES for name in changes):
        said.append("Orders that are open stay as they are.")
    return said


def _effect(term: Term, change: list[int], market: Units) -> str:
    before, after = change
    if term.name in _FEES:
        who = "rests and is filled later" if term.name == "maker_fee_ppm" else "is filled at once"
        pays, paid = (_fee_of_example(ppm, market) for ppm in (after, before))
        return (
            f"An order that {who} pays {'more' if after > before else 'less'}: {pays} of a trade"
            f" of {EXAMPLE_UNITS} {market.quote.code}, instead of {paid}."
        )
    if after == 0 and term.name in _DOES_NOT:
        return _DOES_NOT[term.name]
    return _DOES[term.name].format(after=_said(term, after, market))


def _fee_of_example(ppm: int, market: Units) -> str:
    return f"{format_minor(EXAMPLE_UNITS * ppm, 6, min_decimals=2)} {market.quote.code}"


def _said(term: Term, value: int, market: Units) -> str:
    if term.optional and value == 0:
        return "none"
    return f"{term.write(value, market)} {term.unit(market)}"


def _typed(term: Term, value: int, market: Units) -> str:
    return "" if term.optional and value == 0 else term.write(value, market)
