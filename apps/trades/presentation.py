"""Orders, fills and positions as plain dictionaries: the one shape for API, sockets and pages."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.clock import from_ns, iso
from apps.core.money import format_minor
from apps.markets.models import Asset, Instrument
from apps.markets.rules import (
    average_price_minor,
    change_bps,
    decimals_of,
    format_amount,
    format_price,
    format_quantity,
    format_quote,
)
from apps.trades.actions import Cancelled
from apps.trades.changing import Switch
from apps.trades.models import Fill, Order
from apps.trades.position_queries import LotsOf, PositionRow
from apps.trades.positions import MOVEMENT_BITS, average_cost_minor
from apps.trades.rules import (
    ORDER_TYPE_NAMES,
    PERCENT_DECIMALS,
    SELF_TRADE_NAMES,
    SIDE_NAMES,
    TIME_IN_FORCE_NAMES,
)


def order_json(order: Order) -> dict[str, object]:
    """Return the order; what it does not have (a market order's price) is null."""
    instrument = order.instrument
    return {
        "id": str(order.id),
        "client_order_id": order.client_order_id,
        "account": str(order.account.public_id),
        "market": instrument.symbol,
        "side": SIDE_NAMES[order.side],
        "type": ORDER_TYPE_NAMES[order.order_type],
        "time_in_force": TIME_IN_FORCE_NAMES[order.time_in_force],
        "post_only": order.post_only,
        "self_trade_prevention": SELF_TRADE_NAMES[order.self_trade],
        "status": str(order.status),
        "quantity": format_quantity(order.quantity_lots, instrument)
        if order.quantity_lots
        else None,
        "quote_amount": format_quote(order.quote_minor, instrument) if order.quote_minor else None,
        "price": _price(order.price_ticks, instrument),
        "stop_price": _price(order.stop_ticks, instrument),
        "display_quantity": format_quantity(order.display_lots, instrument)
        if order.display_lots
        else None,
        "trail_amount": _price(order.trail_ticks, instrument),
        "trail_percent": format_minor(order.trail_bps, PERCENT_DECIMALS)
        if order.trail_bps
        else None,
        "take_profit_price": _price(order.take_profit_ticks, instrument),
        "stop_loss_price": _price(order.stop_loss_ticks, instrument),
        "stop_loss_limit_price": _price(order.stop_loss_limit_ticks, instrument),
        "pair_order_id": str(order.pair_order_id) if order.pair_order_id else None,
        "parent_order_id": str(order.parent_order_id) if order.parent_order_id else None,
        "block_id": str(order.block_id) if order.block_id else None,
        "filled_quantity": format_quantity(order.filled_lots, instrument),
        "filled_quote": format_quote(order.filled_quote_minor, instrument),
        "average_price": average_price(order),
        "fee": format_quote(order.fee_minor, instrument),
        "fee_asset": instrument.quote.code,
        "expires_at": iso(order.expires_at) if order.expires_at else None,
        "reason": order.reason or None,
        "seq": order.last_seq,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
    }


def average_price(order: Order) -> str | None:
    """Return what one unit cost on average so far, to the quote asset's last decimal."""
    if not order.filled_lots:
        return None
    instrument = order.instrument
    scale = instrument.quote.scale
    minor = average_price_minor(
        order.filled_quote_minor, order.filled_lots * instrument.lot_minor, instrument.base.scale
    )
    return format_minor(minor, scale, min_decimals=decimals_of(instrument.tick_size_minor, scale))


def cancelled_json(cancelled: Cancelled) -> dict[str, object]:
    return {"cancelled": [str(each) for each in cancelled.order_ids], "seq": cancelled.seq}


def switch_json(switch: Switch) -> dict[str, object]:
    return {
        "cancel_at": None if switch.cancel_at is None else iso(switch.cancel_at),
        "seq": switch.seq,
    }


def fill_json(fill: Fill) -> dict[str, object]:
    instrument = fill.instrument
    return {
        "id": str(fill.id),
        "trade_id": str(fill.trade_id),
        "order_id": str(fill.order_id),
        "market": instrument.symbol,
        "side": SIDE_NAMES[fill.side],
        "role": "maker" if fill.is_maker else "taker",
        "price": format_price(fill.price_ticks, instrument),
        "quantity": format_quantity(fill.quantity_lots, instrument),
        "quote_amount": format_quote(fill.quote_minor, instrument),
        "fee": format_quote(fill.fee_minor, instrument),
        "fee_asset": instrument.quote.code,
        "at": iso(fill.at),
        "seq": fill.seq,
    }


def position_json(row: PositionRow, value: Asset) -> dict[str, object]:
    """Return the position; what needs a price is null where there is none."""
    unrealised = row.unrealised_minor
    return {
        "asset": row.asset.code,
        "quantity": format_amount(row.quantity_minor, row.asset),
        "average_cost": _optional(row.average_cost_minor, value),
        "cost": format_amount(row.cost_minor, value),
        "price": format_price(row.price_ticks, row.market)
        if row.market is not None and row.price_ticks is not None
        else None,
        "value": _optional(row.value_minor, value),
        "unrealised": _optional(unrealised, value),
        "unrealised_percent": format_minor(
            change_bps(row.cost_minor, row.cost_minor + unrealised), 2, min_decimals=2
        )
        if unrealised is not None and row.cost_minor
        else None,
        "realised": format_amount(row.realised_minor, value),
        "fees": format_amount(row.fees_minor, value),
        "seq": row.seq,
        "at": iso(row.at),
    }


def totals_json(rows: Sequence[PositionRow], value: Asset) -> dict[str, object]:
    """Return the sums over all positions; one without a price counts with what is known of it."""
    return {
        "cost": format_amount(sum(row.cost_minor for row in rows), value),
        "value": format_amount(sum(row.value_minor or 0 for row in rows), value),
        "unrealised": format_amount(sum(row.unrealised_minor or 0 for row in rows), value),
        "realised": format_amount(sum(row.realised_minor for row in rows), value),
        "fees": format_amount(sum(row.fees_minor for row in rows), value),
    }


def lots_json(found: LotsOf, value: Asset, limit: int) -> dict[str, object]:
    """Return the oldest open lots, and how many there are."""
    lots = found.lots.open
    return {
        "asset": found.asset.code,
        "realised": format_amount(found.lots.realised_minor, value),
        "count": len(lots),
        "items": [
            {
                "id": str(lot.id),
                "quantity": format_amount(lot.quantity_minor, found.asset),
                "cost": format_amount(lot.cost_minor, value),
                "unit_cost": format_amount(
                    average_cost_minor(lot.cost_minor, lot.quantity_minor, found.asset.scale),
                    value,
                ),
                "at": iso(from_ns(lot.at_ns)),
                "seq": lot.id >> MOVEMENT_BITS,
            }
            for lot, _ in zip(lots, range(limit), strict=False)
        ],
    }


def pair_json(pair: tuple[Order, Order]) -> dict[str, object]:
    return {"orders": [order_json(order) for order in pair]}


def _price(ticks: int | None, instrument: Instrument) -> str | None:
    return format_price(ticks, instrument) if ticks else None


def _optional(minor: int | None, asset: Asset) -> str | None:
    return None if minor is None else format_amount(minor, asset)
