"""What an amount is worth in the value asset (USDT). An app above, which knows prices, says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

VALUE_ASSET: Final = "USDT"

# Gets an asset's id, an amount and the present moment; None where there is no price.
Valuer = Callable[[int, int, datetime], int | None]

_valuers: list[Valuer] = []


def register(valuer: Valuer) -> None:
    """Have this say what amounts are worth; for ``AppConfig.ready()``."""
    _valuers[:] = [valuer]


def worth_minor(asset_id: int, amount_minor: int, *, now: datetime) -> int | None:
    """Return the worth in minor units of the value asset; None where nobody knows."""
    return _valuers[0](asset_id, amount_minor, now) if _valuers else None
