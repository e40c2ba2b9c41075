"""An order's row: made from the events that entered it, and read back as its terms."""

from __future__ import annotations

from msgspec.structs import asdict

from apps.core import clock
from apps.engine.messages import Special, Terms
from apps.markets.models import Instrument
from apps.trades.folding import Change
from apps.trades.models import Order
from apps.wallets.models import TradingAccount


def order_of(change: Change, account: TradingAccount, instrument: Instrument) -> Order:
    """Return the row of an order that was entered, as the projection will write it."""
    accepted = change.accepted
    if accepted is None:
        raise ValueError("Only an order that was entered can be made from its events.")
    entered = accepted.terms
    amended = change.amended is not None
    terms = (change.amended or accepted).terms
    return Order(
        id=change.order_id,
        account=account,
        instrument=instrument,
        client_order_id=accepted.client_order_id,
        side=terms.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        post_only=terms.post_only,
        self_trade=terms.self_trade,
        quantity_lots=terms.quantity_lots,
        quote_minor=terms.quote_minor,
        price_ticks=terms.price_ticks,
        stop_ticks=terms.stop_ticks,
        **_special_columns(terms.special),
        pair_order_id=accepted.pair_order_id or None,
        parent_order_id=accepted.parent_order_id or None,
        block_id=change.block_id or None,
        entered_quantity_lots=entered.quantity_lots if amended else None,
        entered_price_ticks=entered.price_ticks if amended else None,
        entered_stop_ticks=entered.stop_ticks if amended else None,
        expires_at=clock.from_ns(terms.expires_at_ns) if terms.expires_at_ns else None,
        filled_lots=change.filled_lots,
        filled_quote_minor=change.filled_quote_minor,
        fee_minor=change.fee_minor,
        held_minor=change.held_minor,
        triggered=change.triggered,
        status=change.status,
        reason=change.reason,
        seq=change.seq,
        last_seq=change.last_seq,
        created_at=clock.from_ns(change.created_ns),
        updated_at=clock.from_ns(change.updated_ns),
    )


def terms_of_row(order: Order) -> Terms:
    """Return the terms that the order was entered with, whatever has been amended since."""
    amended = order.entered_quantity_lots is not None
    return Terms(
        market_id=order.instrument_id,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity_lots=(order.entered_quantity_lots or 0) if amended else order.quantity_lots,
        quote_minor=order.quote_minor,
        price_ticks=(order.entered_price_ticks or 0) if amended else order.price_ticks,
        stop_ticks=(order.entered_stop_ticks or 0) if amended else order.stop_ticks,
        expires_at_ns=clock.to_ns(order.expires_at) if order.expires_at else 0,
        post_only=order.post_only,
        self_trade=order.self_trade,
        special=_special_of_row(order),
    )


def is_linked(order: Order) -> bool:
    """Whether it is one of two of which one fills, or follows from a purchase."""
    return order.pair_order_id is not None or order.parent_order_id is not None


def _special_columns(special: Special | None) -> dict[str, int | None]:
    """Return the columns that are named as the fields of ``Special``, null where nothing is."""
    return {name: value or None for name, value in asdict(special or Special()).items()}


def _special_of_row(order: Order) -> Special | None:
    asked = {name: getattr(order, name) or 0 for name in Special.__struct_fields__}
    return Special(**asked) if any(asked.values()) else None
