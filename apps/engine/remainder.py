"""What is left of a live order: what it has to reserve, what of it is shown, and how it shrinks."""

from __future__ import annotations

import msgspec

from apps.engine.book import RESTING, Order
from apps.engine.messages import BUY, Amended, AnyEvent, Terms
from apps.engine.rates import buy_hold_minor


def needed_hold_minor(order: Order, price_ticks: int, lots: int) -> int:
    """What an order reserves that may still fill so many lots, at its own fee rates."""
    if order.side != BUY:
        return lots * order.instrument.lot_minor
    notional_minor = lots * price_ticks * order.instrument.tick_lot_minor
    return buy_hold_minor(notional_minor, order.hold_fee_ppm)


def show_part(order: Order) -> None:
    """An iceberg that comes to rest shows a part of what is left of it and hides the others."""
    special = order.terms.special
    if special is not None and special.display_lots:
        left_lots = order.left_lots
        order.remaining_lots = min(special.display_lots, left_lots)
        order.hidden_lots = left_lots - order.remaining_lots


def less_by(terms: Terms, lots: int) -> Terms:
    return msgspec.structs.replace(terms, quantity_lots=terms.quantity_lots - lots)


def shrink(
    order: Order,
    lots: int,
    shown_lots: int,
    reason: str,
    events: list[AnyEvent],
    other: Order | None = None,
) -> None:
    """Takes lots off an order where it stands, so many of them from what it shows.

    What it does not need to reserve any more is available again; of a pair the larger need counts.
    """
    order.terms = less_by(order.terms, lots)
    order.remaining_lots -= shown_lots
    order.hidden_lots -= lots - shown_lots
    left_lots = order.left_lots
    needed_minor = needed_hold_minor(order, order.price_ticks, left_lots)
    if other is not None:
        others_minor = needed_hold_minor(other, other.price_ticks, left_lots)
        needed_minor = max(needed_minor, others_minor)
    hold_minor = min(order.hold_minor, needed_minor)
    resting = order.place == RESTING
    note_amended(order, hold_minor, order.price_ticks if resting else 0, shown_lots, reason, events)


def note_amended(
    order: Order,
    hold_minor: int,
    book_price_ticks: int,
    book_lots: int,
    reason: str,
    events: list[AnyEvent],
) -> None:
    """Books the change of the hold and tells the change of the order."""
    change_minor = hold_minor - order.hold_minor
    order.spends.hold(change_minor)
    order.hold_minor = hold_minor
    events.append(
        Amended(
            order.order_id, order.account.account_id, order.instrument.market_id, order.side,
            order.terms, order.price_ticks, order.left_lots, hold_minor, change_minor,
            book_price_ticks, book_lots if book_price_ticks else 0, reason,
        )
    )  # fmt: skip
