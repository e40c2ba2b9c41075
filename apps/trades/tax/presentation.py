"""Gains and lots as plain dictionaries for API, page and files."""

from __future__ import annotations

from typing import Final

from apps.core.clock import from_ns, iso
from apps.markets.models import Asset
from apps.trades.tax.queries import AssetGains, Gains
from apps.trades.tax.rules import METHOD_WORDS, Disposal, Passage, TaxLot
from apps.wallets.presentation import amount_text

DAY_NS: Final = 86_400 * 10**9


def gains_json(gains: Gains, rows_max: int) -> dict[str, object]:
    """The sums, and the newest disposals of each asset up to so many of all."""
    items = [
        disposal_json(disposal, each.asset, gains.value)
        for each in gains.assets
        for disposal in each.disposals
    ]
    return {
        "account": str(gains.account.public_id),
        "method": gains.method.value,
        "method_words": METHOD_WORDS[gains.method],
        "first_day": gains.period.first.isoformat(),
        "last_day": gains.period.last.isoformat(),
        "until": iso(gains.ends),
        "value_asset": gains.value.code,
        "gain": amount_text(gains.gain_minor, gains.value),
        "assets": [asset_json(each, gains.value) for each in gains.assets],
        "count": gains.disposals,
        "items": items[:rows_max],
    }


def asset_json(each: AssetGains, value: Asset) -> dict[str, object]:
    return {
        "asset": each.asset.code,
        "quantity": amount_text(each.quantity_minor, each.asset),
        "proceeds": amount_text(each.proceeds_minor, value),
        "cost": amount_text(each.cost_minor, value),
        "fees": amount_text(each.fees_minor, value),
        "gain": amount_text(each.gain_minor, value),
        "lots_open": len(each.lots),
        "quantity_open": amount_text(sum(lot.left_minor for lot in each.lots), each.asset),
        "cost_open": amount_text(sum(lot.cost_minor for lot in each.lots), value),
    }


def disposal_json(row: Disposal, asset: Asset, value: Asset) -> dict[str, object]:
    return {
        "asset": asset.code,
        "quantity": amount_text(row.quantity_minor, asset),
        "acquired_at": iso(from_ns(row.acquired_ns)),
        "disposed_at": iso(from_ns(row.disposed_ns)),
        "days_held": (row.disposed_ns - row.acquired_ns) // DAY_NS,
        "acquired_by": "purchase" if row.bought else "transfer",
        "proceeds": amount_text(row.proceeds_minor, value),
        "cost": amount_text(row.cost_minor, value),
        "fees": amount_text(row.fees_minor, value),
        "gain": amount_text(row.gain_minor, value),
        "lot": str(row.lot_id),
        "sale": str(row.id),
    }


def passage_json(row: Passage, asset: Asset, value: Asset) -> dict[str, object]:
    return {
        "asset": asset.code,
        "at": iso(from_ns(row.at_ns)),
        "direction": "in" if row.change_minor > 0 else "out",
        "quantity": amount_text(abs(row.change_minor), asset),
        "basis": amount_text(row.basis_minor, value),
    }


def lot_json(lot: TaxLot, asset: Asset, value: Asset) -> dict[str, object]:
    return {
        "asset": asset.code,
        "quantity": amount_text(lot.left_minor, asset),
        "acquired_at": iso(from_ns(lot.at_ns)),
        "acquired_by": "purchase" if lot.bought else "transfer",
        "cost": amount_text(lot.cost_minor, value),
    }
