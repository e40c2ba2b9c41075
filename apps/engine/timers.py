"""What the mere passing of time does: old commands are forgotten, and timers run out.

Timers that are due run before the command at hand, by time, then by the sequence number of the
command that set them.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop
from typing import Final

from apps.engine.blocks import cancel_legs, follow, opening_is_over, slice_is_due
from apps.engine.halts import attend, indicate, turn
from apps.engine.idempotency import REMEMBERED_NS
from apps.engine.messages import CANCELLED, EXPIRED, AnyEvent
from apps.engine.state import (
    BLOCK_OPENING,
    BLOCK_SLICE,
    CANCEL_ALL_AFTER,
    GOOD_TILL_DATE,
    INDICATION,
    MARKET_PHASE,
    SECOND_NS,
    State,
)


def wake(state: State, events: list[AnyEvent]) -> None:
    """Does what is due by now, and notes when something will be due again."""
    state.second = state.now_ns // SECOND_NS
    state.forget_old_commands()
    timers = state.timers
    while timers and timers[0][0] <= state.now_ns:
        timer = heappop(timers)
        if state.is_live(timer):
            _, _, kind, key = timer
            _RUN_OUT[kind](state, key, events)
    if state.blocks:
        follow(state, events)
    if state.matcher.attention:
        attend(state, events)
    # A command remembered from now on leaves no sooner than the oldest there is.
    oldest_ns = state.remembered[0].at_ns if state.remembered else state.now_ns
    state.due_ns = min(oldest_ns + REMEMBERED_NS, (state.second + 1) * SECOND_NS)
    if timers:
        state.due_ns = min(state.due_ns, timers[0][0])


def _expire_order(state: State, order_id: int, events: list[AnyEvent]) -> None:
    order = state.orders[order_id]
    state.matcher.close(order, state.books[order.terms.market_id], EXPIRED, "gtd", events)


def _cancel_all(state: State, account_id: int, events: list[AnyEvent]) -> None:
    """The owner has not been heard of: nobody watches over these orders."""
    account = state.accounts[account_id]
    account.cancel_after_ns = 0
    for order_id in list(account.open_orders):
        order = state.orders.get(order_id)
        if order is not None:
            book = state.books[order.terms.market_id]
            state.matcher.close(order, book, CANCELLED, "cancel_after", events)
    cancel_legs(state, account, 0, 0, "cancel_after", events)


_RUN_OUT: Final[dict[int, Callable[[State, int, list[AnyEvent]], None]]] = {
    GOOD_TILL_DATE: _expire_order,
    CANCEL_ALL_AFTER: _cancel_all,
    MARKET_PHASE: turn,
    INDICATION: indicate,
    BLOCK_OPENING: opening_is_over,
    BLOCK_SLICE: slice_is_due,
}
