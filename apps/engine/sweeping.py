"""Many orders ended at once: cancel-all, the dead man's switch, and the kill switch of staff."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from apps.engine.blocks import cancel_legs, cancel_openings
from apps.engine.book import Order
from apps.engine.messages import (
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    CANCELLED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    KILL_ACCOUNT,
    KILL_MARKET,
    KILL_VENUE,
    OPEN,
    SELL,
    AccountSet,
    AnyEvent,
    CancelAfterSet,
    CancelAll,
    CancelAllAfter,
    InstrumentSet,
    Kill,
    VenueSet,
)
from apps.engine.state import CANCEL_ALL_AFTER, State

MS_NS: Final = 1_000_000
TIMEOUT_MS_MAX: Final = 24 * 3600 * 1000


def cancel_all(state: State, command: CancelAll, events: list[AnyEvent]) -> str:
    market_id, side = command.market_id, command.side
    if market_id and market_id not in state.books:
        return "unknown_market"
    if side not in (0, BUY, SELL):
        return "invalid_side"
    if command.account_id:
        account = state.accounts.get(command.account_id)
        if account is None:
            return "unknown_account"
        found = [state.orders[order_id] for order_id in account.open_orders]
        reason = "reduce_only" if command.reduce_only else "cancel_all"
    else:
        found = list(state.orders.values())
        reason = "kill"
    wanted = [
        order
        for order in found
        if (not market_id or order.terms.market_id == market_id)
        and (not side or order.side == side)
    ]
    _close(state, wanted, reason, events)
    if command.account_id:
        cancel_legs(state, state.accounts[command.account_id], market_id, side, reason, events)
    else:
        cancel_openings(state, market_id, side, reason, events)
    return ""


def cancel_all_after(state: State, command: CancelAllAfter, events: list[AnyEvent]) -> str:
    account = state.accounts.get(command.account_id)
    if account is None:
        return "unknown_account"
    if not 0 <= command.timeout_ms <= TIMEOUT_MS_MAX:
        return "invalid_timeout"
    due_ns = state.now_ns + command.timeout_ms * MS_NS if command.timeout_ms else 0
    if due_ns and due_ns != account.cancel_after_ns:
        state.add_timer(due_ns, state.seq, CANCEL_ALL_AFTER, command.account_id)
        account.cancel_after_seq = state.seq
    account.cancel_after_ns = due_ns
    events.append(CancelAfterSet(command.account_id, due_ns))
    return ""


def kill(state: State, command: Kill, events: list[AnyEvent]) -> str:
    """What is stopped stays so until staff open it again: a kill never loosens anything."""
    target_id = command.target_id
    if command.scope == KILL_ACCOUNT:
        account = state.accounts.get(target_id)
        if account is None or target_id in (EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID):
            return "unknown_account"
        account.admit(BLOCKED, account.limits)
        events.append(AccountSet(target_id, BLOCKED, account.trade_group, account.limits))
        wanted = [state.orders[order_id] for order_id in account.open_orders]
    elif command.scope == KILL_MARKET:
        book = state.books.get(target_id)
        if book is None:
            return "unknown_market"
        if book.instrument.state == OPEN:
            closed = msgspec.structs.replace(book.instrument, state=CANCEL_ONLY)
            book.set_instrument(closed, state.venue_state)
        events.append(InstrumentSet(book.instrument))
        wanted = [order for order in state.orders.values() if order.terms.market_id == target_id]
    elif command.scope == KILL_VENUE and not target_id:
        if state.venue_state == OPEN:
            state.set_venue(CANCEL_ONLY)
        events.append(VenueSet(state.venue_state))
        wanted = list(state.orders.values())
    else:
        return "invalid_scope"
    _close(state, wanted, "kill", events)
    if command.scope == KILL_ACCOUNT:
        cancel_legs(state, state.accounts[target_id], 0, 0, "kill", events)
    else:
        cancel_openings(state, target_id, 0, "kill", events)
    return ""


def _close(state: State, orders: Iterable[Order], reason: str, events: list[AnyEvent]) -> None:
    for order in orders:
        # The end of one may have ended another.
        if order.order_id in state.orders:
            book = state.books[order.terms.market_id]
            state.matcher.close(order, book, CANCELLED, reason, events)
