"""Orders and fills as plain dictionaries: the one shape for API, sockets and pages."""

from __future__ import annotations

from apps.core.clock import iso
from apps.core.money import format_minor
from apps.markets.rules import (
    average_price_minor,
    decimals_of,
    format_price,
    format_quantity,
    format_quote,
)
from apps.trades.models import Fill, Order
from apps.trades.rules import ORDER_TYPE_NAMES, SELF_TRADE_NAMES, SIDE_NAMES, TIME_IN_FORCE_NAMES


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
        "price": format_price(order.price_ticks, instrument) if order.price_ticks else None,
        "stop_price": format_price(order.stop_ticks, instrument) if order.stop_ticks else None,
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
