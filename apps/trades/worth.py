"""What an amount is worth in the value asset: at the mark, or at the last price without one."""

from __future__ import annotations

from datetime import datetime

from apps.markets.models import Instrument, Trade
from apps.markets.rules import worth_minor as worth_at
from apps.trades.positions import VALUE_ASSET_ID
from apps.trades.risk.models import RiskMark


def worth_minor(asset_id: int, amount_minor: int, now: datetime) -> int | None:
    """Return the worth of an amount; None for what nobody has traded yet."""
    if asset_id == VALUE_ASSET_ID:
        return amount_minor
    market = Instrument.objects.filter(base_id=asset_id, quote_id=VALUE_ASSET_ID).first()
    if market is None:
        return None
    mark = RiskMark.objects.filter(instrument_id=market.id).first()
    price_ticks = None if mark is None else mark.price_ticks
    if price_ticks is None:
        trades = Trade.objects.filter(instrument_id=market.id).order_by("-id")
        price_ticks = trades.values_list("price_ticks", flat=True).first()
    return None if price_ticks is None else worth_at(amount_minor, price_ticks, market)
