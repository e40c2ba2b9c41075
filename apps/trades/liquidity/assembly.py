"""Puts the liquidity process together from the markets there are and the feed asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from apps.markets.feeds import sources
from apps.markets.feeds.recorded import parse_speed
from apps.markets.models import Instrument
from apps.trades.liquidity import funding
from apps.trades.liquidity.desk import Desk, HouseMarket, Submits
from apps.trades.liquidity.process import LiquidityProcess
from apps.trades.liquidity.rules import SizeLimits
from apps.trades.liquidity.watcher import Follow, Watcher


def assemble(
    *,
    instruments: Sequence[Instrument],
    gateway: Submits,
    follow: Follow,
    seed: int,
    captures: Sequence[Path] = (),
    speed: str = "1",
) -> LiquidityProcess:
    """Return the process, not yet running. Captures that are not there are refused."""
    replay = sources.open_replay(instruments, captures, parse_speed(speed))
    assets = {asset.id: asset for market in instruments for asset in (market.base, market.quote)}
    amounts = {asset.id: funding.top_up_minor(asset.code, asset.scale) for asset in assets.values()}
    return LiquidityProcess(
        feed=sources.choose_feed(instruments, seed=seed, replay=replay),
        desk=Desk(gateway, [house_market(instrument) for instrument in instruments], amounts),
        watcher=Watcher(follow),
        shortfalls=partial(funding.shortfalls, amounts),
    )


def house_market(instrument: Instrument) -> HouseMarket:
    """Return what the desk must know of a market."""
    limits = SizeLimits(
        instrument.max_quantity_lots, instrument.max_notional_minor, instrument.tick_lot_minor
    )
    return HouseMarket(
        instrument.id, instrument.symbol, instrument.base_id, instrument.quote_id, limits
    )
