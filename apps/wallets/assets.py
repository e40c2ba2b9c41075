"""The assets, for those below the app that lists them: by code, with their scale."""

from __future__ import annotations

from typing import Any, cast

from django.apps import apps

from apps.core.errors import NotFound
from apps.wallets.presentation import AssetUnits


class Asset(AssetUnits):
    """What the wallets need of a row of ``markets.Asset``."""

    id: int
    name: str


def all_assets() -> dict[str, Asset]:
    """Return every asset by its code, in the order of their numbers."""
    # By name, because wallets may not import markets, where the assets are.
    rows = apps.get_model("markets.Asset").objects.order_by("id")
    return {row.code: cast(Asset, row) for row in rows}


def asset_by_code(code: str) -> Asset:
    """Return the asset of this code, in whichever case it is written."""
    rows: Any = apps.get_model("markets.Asset").objects
    found = rows.filter(code=code.upper()).first()
    if found is None:
        raise NotFound("unknown_asset", "There is no such asset.")
    return cast(Asset, found)
