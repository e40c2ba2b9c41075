"""Reads of positions, now and as of any moment, each scoped to who looks.

Every figure is the fold's own; what is added here is the price: that of the last trade, or, as of
a moment, the close of the last minute that had ended by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Invalid, NotFound
from apps.markets.models import Asset, Instrument
from apps.markets.rules import worth_minor
from apps.trades.models import Movement
from apps.trades.positions import (
    MOVEMENT_BITS,
    VALUE_ASSET_ID,
    Lots,
    Moved,
    average_cost_minor,
)
from apps.trades.queries import owned_account
from apps.wallets.models import TradingAccount

_MINUTE: Final = timedelta(minutes=1)
_FIGURES: Final = "quantity_minor, cost_minor, realised_minor, fees_minor"


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One position. ``market`` is None for an asset that nobody trades against the value asset,
    and ``price_ticks`` where nobody had by then."""

    asset: Asset
    market: Instrument | None
    price_ticks: int | None
    quantity_minor: int
    cost_minor: int
    realised_minor: int
    fees_minor: int
    last_id: int
    at: datetime

    @property
    def seq(self) -> int:
        return self.last_id >> MOVEMENT_BITS

    @property
    def value_minor(self) -> int | None:
        if not self.quantity_minor:
            return 0
        if self.market is None or self.price_ticks is None:
            return None
        return worth_minor(self.quantity_minor, self.price_ticks, self.market)

    @property
    def unrealised_minor(self) -> int | None:
        value_minor = self.value_minor
        return None if value_minor is None else value_minor - self.cost_minor

    @property
    def average_cost_minor(self) -> int | None:
        """None where the position is flat, and where there was no price to enter at."""
        if not self.quantity_minor or (not self.cost_minor and self.price_ticks is None):
            return None
        return average_cost_minor(self.cost_minor, self.quantity_minor, self.asset.scale)


@dataclass(frozen=True, slots=True)
class LotsOf:
    """The open lots of a position, and the profit realised so far, by first in, first out."""

    asset: Asset
    lots: Lots


def value_asset() -> Asset:
    """Return the asset that everything is valued in."""
    return Asset.objects.get(id=VALUE_ASSET_ID)


def positions_of(
    *,
    viewer: User | None,
    account: TradingAccount | None = None,
    as_of: datetime | None = None,
) -> list[PositionRow]:
    """Return every position the account has ever had, flat ones too, in the order of the assets."""
    owned = owned_account(viewer, account)
    found = _figures_now(owned.id) if as_of is None else _figures_at(owned.id, _past(as_of))
    assets = Asset.objects.in_bulk([row[0] for row in found])
    prices = _prices([row[0] for row in found], as_of)
    return [
        PositionRow(assets[row[0]], *prices.get(row[0], (None, None)), *row[1:]) for row in found
    ]


def lots_of(
    *,
    viewer: User | None,
    asset: str,
    account: TradingAccount | None = None,
    as_of: datetime | None = None,
) -> LotsOf:
    """Return the lots of one position, folded from all its movements."""
    owned = owned_account(viewer, account)
    wanted = None
    if asset.isascii() and asset.isalnum():
        wanted = Asset.objects.filter(code=asset.upper()).first()
    if wanted is None:
        raise NotFound("unknown_asset", "There is no such asset here.")
    moved = Movement.objects.filter(account_id=owned.id, asset_id=wanted.id)
    if as_of is not None:
        moved = moved.filter(at__lte=_past(as_of))
    rows = moved.order_by("at", "id").iterator()
    return LotsOf(wanted, Lots().fold(as_moved(row) for row in rows))


def as_moved(row: Movement) -> Moved:
    return Moved(
        row.id, clock.to_ns(row.at), row.account_id, row.asset_id, row.kind, row.change_minor,
        row.value_minor, row.price_ticks, row.quantity_minor, row.cost_minor, row.realised_minor,
        row.fees_minor,
    )  # fmt: skip


def _past(as_of: datetime) -> datetime:
    # What is still to come may yet change, and an answer about it would not stay true.
    if as_of > clock.now():
        raise Invalid("invalid_time", "Positions can be read as of the past.")
    return as_of


def _figures_now(account_id: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT asset_id, {_FIGURES}, last_id, at FROM trades_position"
            " WHERE account_id = %s ORDER BY asset_id",  # nosec B608  # ours
            [account_id],
        )
        return cursor.fetchall()


def _figures_at(account_id: int, as_of: datetime) -> list[Any]:
    """Return the last movement of each asset up to a moment: one indexed read each."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asset.id, {_FIGURES}, last.id, last.at FROM markets_asset AS asset
            CROSS JOIN LATERAL (
                SELECT {_FIGURES}, id, at FROM trades_movement
                WHERE account_id = %s AND asset_id = asset.id AND at <= %s
                ORDER BY at DESC, id DESC LIMIT 1
            ) AS last
            ORDER BY asset.id
            """,  # nosec B608  # columns and queries are constants
            [account_id, as_of],
        )
        return cursor.fetchall()


def _prices(
    asset_ids: list[int], as_of: datetime | None
) -> dict[int, tuple[Instrument | None, int | None]]:
    """Return the market and the price of each asset that has a market against the value asset."""
    markets = {
        market.id: market
        for market in Instrument.objects.filter(base__in=asset_ids, quote_id=VALUE_ASSET_ID)
        .select_related("base", "quote")
    }  # fmt: skip
    if as_of is None:
        last = "SELECT price_ticks FROM markets_trade WHERE instrument_id = market.id"
        order, bound = "id", []
    else:
        last = (
            "SELECT close_ticks FROM markets_candle"
            " WHERE instrument_id = market.id AND NOT synthetic AND at <= %s"
        )
        order, bound = "at", [as_of - _MINUTE]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT market.id, last.ticks"  # nosec B608  # the queries inside are constants
            " FROM unnest(%s::integer[]) AS market(id)"
            f" LEFT JOIN LATERAL ({last} ORDER BY {order} DESC LIMIT 1) AS last(ticks) ON true",
            [list(markets), *bound],
        )
        return {
            markets[market_id].base_id: (markets[market_id], ticks)
            for market_id, ticks in cursor.fetchall()
        }
