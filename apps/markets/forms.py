"""What staff type to list a market: read field by field, with words for each that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from apps.core.errors import DomainError
from apps.core.money import parse_positive
from apps.markets.actions import listable
from apps.markets.catalogue import HALT_SECONDS, LIMIT_STATE_SECONDS, InstrumentSpec
from apps.markets.models import Asset, Instrument
from apps.markets.terms import parse_terms

# What a new market would have where nothing else is typed.
USUAL: Final = {
    "maker_fee_ppm": "0.08", "taker_fee_ppm": "0.10", "band_bps": "10",
    "limit_state_seconds": str(LIMIT_STATE_SECONDS), "halt_seconds": str(HALT_SECONDS),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposed:
    """The units of a market that is not there yet."""

    symbol: str
    base: Asset
    quote: Asset
    tick_size_minor: int
    lot_minor: int


def free_number() -> int:
    """Return a number that no market has."""
    newest = Instrument.objects.order_by("-id").values_list("id", flat=True).first()
    return (newest or 0) + 1


def read_market(typed: Mapping[str, str]) -> tuple[InstrumentSpec | None, dict[str, str]]:
    """Return the market that was typed, or what is wrong with each of its fields."""
    known = {asset.code: asset for asset in Asset.objects.all()}
    base, quote = (known.get(typed.get(name, "")) for name in ("base", "quote"))
    if base is None or quote is None or base == quote:
        return None, {"quote": "Choose two assets that are not the same."}
    wrong: dict[str, str] = {}
    tick_minor = _step(typed, "tick_size", quote, wrong)
    lot_minor = _step(typed, "lot_size", base, wrong)
    if wrong:
        return None, wrong
    units = Proposed(f"{base.code}-{quote.code}", base, quote, tick_minor, lot_minor)
    terms, wrong = parse_terms(typed, units)
    if terms.get("max_quantity_lots") == 0:
        wrong["max_quantity_lots"] = "A new market needs a maximum quantity."
    if wrong:
        return None, wrong
    spec = _spec(typed, units, terms)
    try:
        listable(spec)
    except DomainError as refusal:
        return None, {"tick_size": refusal.message}
    return spec, {}


def _step(typed: Mapping[str, str], name: str, asset: Asset, wrong: dict[str, str]) -> int:
    try:
        return parse_positive(typed.get(name, "").strip(), asset.scale)
    except DomainError as refusal:
        wrong[name] = refusal.message
        return 0


def _spec(typed: Mapping[str, str], units: Proposed, terms: Mapping[str, int]) -> InstrumentSpec:
    def text(name: str) -> str:
        return typed.get(name, "").strip() or "0"

    return InstrumentSpec(
        market_id=free_number(),
        base=units.base.code,
        quote=units.quote.code,
        tick_size=text("tick_size"),
        lot_size=text("lot_size"),
        min_quantity=text("min_quantity_lots"),
        max_quantity=text("max_quantity_lots"),
        min_notional=text("min_notional_minor"),
        max_notional=text("max_notional_minor"),
        maker_fee_ppm=terms["maker_fee_ppm"],
        taker_fee_ppm=terms["taker_fee_ppm"],
        band_bps=terms["band_bps"],
        max_position=text("max_position_lots") if terms["max_position_lots"] else None,
        limit_state_seconds=terms["limit_state_seconds"],
        halt_seconds=terms["halt_seconds"],
    )
