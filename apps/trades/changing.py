"""Changing, replacing and sweeping orders that are open, and the dead man's switch.

As with placing, the engine decides and has committed before anything here answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Conflict, DomainError, Invalid, NotFound, Refused, Unavailable
from apps.engine.messages import Amend, CancelAfterSet, CancelAll, CancelAllAfter, Replace, Terms
from apps.markets.rules import parse_price, parse_quantity
from apps.matching.gateway import Reply, get_gateway, new_command_id, valid_until_ns
from apps.matching.journal import Entry
from apps.matching.queries import journaled_seq, wait_for_seq
from apps.trades.actions import (
    CATCH_UP_SECONDS,
    VALID_SECONDS,
    draft_of,
    earlier_order,
    outcome_of,
    owned_account,
    placed_before,
)
from apps.trades.folding import Folded
from apps.trades.models import OPEN_STATUSES, Order
from apps.trades.queries import order_for
from apps.trades.refusals import refusal
from apps.trades.terms import About, Asked
from apps.wallets.models import TradingAccount

UNCHANGED: Final = "Your order is as it was."
TIMEOUT_SECONDS_MAX: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Switch:
    """When all orders of an account end; None: they stay."""

    cancel_at: datetime | None
    seq: int


def amend_order(
    *,
    actor: User,
    order_id: str | int,
    quantity: str | None = None,
    price: str | None = None,
    stop_price: str | None = None,
) -> Order:
    """Change an open order and return it as it stands after everything that this caused at once.

    ``quantity`` is the new total, what has filled included.
    """
    order = _open_order(actor, order_id)
    instrument = order.instrument
    lots = ticks = stop_ticks = 0
    with About("quantity", UNCHANGED):
        lots = 0 if quantity is None else parse_quantity(quantity, instrument)
    with About("price", UNCHANGED):
        ticks = 0 if price is None else parse_price(price, instrument)
    with About("stop_price", UNCHANGED):
        stop_ticks = 0 if stop_price is None else parse_price(stop_price, instrument)
    if not (lots or ticks or stop_ticks):
        raise Invalid("nothing_to_amend", f"Give a new quantity or price. {UNCHANGED}")
    command = Amend(
        new_command_id(), valid_until_ns(VALID_SECONDS), order.account_id, order.id, "",
        lots, ticks, stop_ticks,
    )  # fmt: skip
    reply = get_gateway().submit(command)
    if reply.rejected is not None:
        raise _not_amended(reply.rejected.reason, order, command)
    _take_in(order, reply)
    return order


def replace_order(
    *, actor: User, order_id: str | int, asked: Mapping[str, Any], now: datetime
) -> Order:
    """Cancel an open order and place another in its stead, or change nothing at all.

    ``asked`` are the arguments of ``place_order`` without actor, account and now.
    """
    wanted = Asked(**asked)
    account = owned_account(actor, None)
    order = _order_or_none(actor, order_id)
    if order is not None:
        account = order.account
    before = earlier_order(account, wanted.client_order_id)
    draft = draft_of(wanted, now if before is None else before.created_at)
    if before is not None:
        return placed_before(before, draft)
    order = _open_order(actor, order_id)
    command = Replace(
        new_command_id(), valid_until_ns(VALID_SECONDS), account.id, draft.client_order_id,
        draft.terms, order.id,
    )  # fmt: skip
    reply = get_gateway().submit(command)
    if reply.rejected is not None and reply.rejected.reason == "order_not_found":
        raise _closed(_reread(order, reply))
    return outcome_of(account, draft, reply, UNCHANGED)


def cancel_all_after(
    *, actor: User, account: TradingAccount | str | None = None, timeout_seconds: int
) -> Switch:
    """Arm the dead man's switch of the account, anew if it is armed; zero takes it back."""
    owned = owned_account(actor, account)
    if not 0 <= timeout_seconds <= TIMEOUT_SECONDS_MAX:
        raise Invalid(
            "invalid_timeout",
            f"A timeout is 0 to {TIMEOUT_SECONDS_MAX} seconds. Nothing has changed.",
            field="timeout_seconds",
        )
    reply = get_gateway().submit(
        CancelAllAfter(
            new_command_id(), valid_until_ns(VALID_SECONDS), owned.id, timeout_seconds * 1000
        )
    )
    if reply.rejected is not None:
        raise Unavailable(
            reply.rejected.reason,
            "The switch could not be set. Your orders are as before; try again.",
            retry_after_seconds=1,
        )
    due_ns = next(e.due_ns for e in reply.events if isinstance(e, CancelAfterSet))
    return Switch(clock.from_ns(due_ns) if due_ns else None, reply.seq)


def end_watch(account_id: int) -> None:
    """Cancel everything of an account whose watcher has left, and take the switch back."""
    get_gateway().submit_many(
        [
            CancelAll(new_command_id(), valid_until_ns(VALID_SECONDS), account_id),
            CancelAllAfter(new_command_id(), valid_until_ns(VALID_SECONDS), account_id, 0),
        ]
    )


def _order_or_none(actor: User, order_id: str | int) -> Order | None:
    try:
        return order_for(viewer=actor, order_id=order_id)
    except NotFound:
        return None


def _open_order(actor: User, order_id: str | int) -> Order:
    """Return the actor's order; one placed a moment ago may not be in the table yet."""
    order = _order_or_none(actor, order_id)
    if order is None:
        wait_for_seq(journaled_seq(), CATCH_UP_SECONDS)
        order = order_for(viewer=actor, order_id=order_id)
    if order.status not in OPEN_STATUSES:
        raise _closed(order)
    if order.block_id is not None:
        raise Refused(
            "leg_of_block",
            "This order is part of a block, which fills for all of its members at one price."
            f" It can be cancelled, but not changed by itself. {UNCHANGED}",
        )
    return order


def _not_amended(reason: str, order: Order, command: Amend) -> DomainError:
    if reason == "order_not_found":
        return _closed(order)
    terms = Terms(
        order.instrument_id,
        order.side,
        order.order_type,
        order.time_in_force,
        command.quantity_lots or order.quantity_lots,
        price_ticks=command.price_ticks or order.price_ticks,
        stop_ticks=command.stop_ticks or order.stop_ticks,
    )
    return refusal(
        reason, terms=terms, instrument=order.instrument, account=order.account, nothing=UNCHANGED
    )


def _reread(order: Order, reply: Reply) -> Order:
    wait_for_seq(reply.seq, CATCH_UP_SECONDS)
    return order_for(viewer=order.account.owner, order_id=order.id)


def _closed(order: Order) -> Conflict:
    words = "filled" if order.status == Order.Status.FILLED else "ended"
    return Conflict("order_closed", f"This order is {words} already. There was nothing to change.")


def _take_in(order: Order, reply: Reply) -> None:
    """Bring the row up to what the reply says of it; the table may be a moment behind."""
    if wait_for_seq(reply.seq, CATCH_UP_SECONDS):
        order.refresh_from_db()
    if order.last_seq >= reply.seq:
        return
    change = Folded([Entry(reply.seq, reply.at_ns, reply.events)]).changes[order.id]
    if change.amended is not None:
        terms = change.amended.terms
        order.quantity_lots = terms.quantity_lots
        order.price_ticks, order.stop_ticks = terms.price_ticks, terms.stop_ticks
    order.filled_lots += change.filled_lots
    order.filled_quote_minor += change.filled_quote_minor
    order.fee_minor += change.fee_minor
    order.held_minor += change.held_minor
    order.status = change.status or order.status
    order.reason = change.reason or order.reason
    order.last_seq = change.last_seq
    order.updated_at = clock.from_ns(change.updated_ns)
