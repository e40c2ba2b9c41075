"""Changing an open order: less of it keeps its place, anything else makes it arrive anew.

All checks come first; then it changes. What arrives anew is checked and counted as a new order is,
its own hold counted as available. Less of an order is part of a cancel: no state of the account or
the market forbids it, and nobody does it too often.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine import risk
from apps.engine.book import ARMED, NOWHERE, Book, Order
from apps.engine.brackets import exits_refusal
from apps.engine.messages import AMOUNT_MAX, BUY, Amend, AnyEvent, Terms
from apps.engine.pairs import pair_is_apart
from apps.engine.remainder import needed_hold_minor, note_amended, shrink
from apps.engine.state import State
from apps.engine.triggers import active_trails, arm, disarm, stop_now_ticks

USER: Final = "user"


def amend(state: State, command: Amend, events: list[AnyEvent]) -> str:
    order = _named_order(state, command)
    if order is None:
        return "order_not_found"
    book = state.books[order.instrument.market_id]
    book.fix_band(state.second)
    terms = _amended_terms(order.terms, command)
    less_lots = order.terms.quantity_lots - terms.quantity_lots
    if not _changes_price(order, terms) and less_lots >= 0:
        reason = _shape_refusal(state, order, book, terms, command) or risk.size_refusal(
            order.account, terms, book, shrinks=True
        )
        if reason:
            return reason
        # What is hidden goes first.
        shown_lots = max(0, less_lots - order.hidden_lots)
        shrink(order, less_lots, shown_lots, USER, events, state.matcher.other_of(order))
        return ""
    reason = _arrival_refusal(state, order, book, terms, command)
    if reason:
        return reason
    remaining_lots = order.left_lots - less_lots
    price_ticks = _worst_ticks(order, book, terms)
    hold_minor = needed_hold_minor(order, price_ticks, remaining_lots)
    holder, other = order, state.matcher.other_of(order)
    if other is not None:
        # The limit order of a pair holds for both.
        others_minor = needed_hold_minor(other, other.price_ticks, remaining_lots)
        hold_minor = max(hold_minor, others_minor)
        holder = other if order.place == ARMED else order
    if holder.spends.available_minor + holder.hold_minor < hold_minor:
        return "insufficient_balance"
    own_minor = hold_minor if holder is order else order.hold_minor
    _move(state, order, book, terms, price_ticks, remaining_lots, own_minor, events)
    if holder is not order:
        state.matcher.balance_hold(order, events)
    return ""


def _named_order(state: State, command: Amend) -> Order | None:
    """The sender's own live order that the command names; a foreign one is none."""
    order = state.orders.get(
        command.order_id or state.order_id_of(command.account_id, command.client_order_id)
    )
    if order is None or order.account.account_id != command.account_id:
        return None
    return order


def _amended_terms(terms: Terms, command: Amend) -> Terms:
    return msgspec.structs.replace(
        terms,
        quantity_lots=command.quantity_lots or terms.quantity_lots,
        price_ticks=command.price_ticks or terms.price_ticks,
        stop_ticks=command.stop_ticks or terms.stop_ticks,
    )


def _changes_price(order: Order, terms: Terms) -> bool:
    before = order.terms
    return terms.price_ticks != before.price_ticks or terms.stop_ticks != before.stop_ticks


def _arrival_refusal(state: State, order: Order, book: Book, terms: Terms, command: Amend) -> str:
    account = order.account
    if account.count_orders(state.second, 1):
        return "rate_limit"
    reason = risk.state_refusal(
        account.state, state.venue_state, book.instrument.state, order.side
    ) or _shape_refusal(state, order, book, terms, command)
    if reason:
        return reason
    if order.place == ARMED:
        # A stop that trails already has no price of its own to be checked.
        trails = active_trails(order, book) is not None
        reason = "" if trails else risk.stop_price_refusal(terms, book)
    else:
        reason = risk.limit_price_refusal(terms, book)
    return (
        reason
        or _pair_refusal(state, order, book, terms)
        or exits_refusal(terms, book)
        or risk.size_refusal(account, terms, book)
        or _position_refusal(state, order, book, terms)
    )


def _shape_refusal(state: State, order: Order, book: Book, terms: Terms, command: Amend) -> str:
    """A price where the order has one, a stop price while it waits for it; more than has filled."""
    if command.price_ticks and not order.terms.price_ticks:
        return "invalid_order"
    waits_for_stop = order.place == ARMED and active_trails(order, book) is None
    if command.stop_ticks and not waits_for_stop:
        return "invalid_order"
    if not (0 <= terms.price_ticks <= AMOUNT_MAX and 0 <= terms.stop_ticks <= AMOUNT_MAX):
        return "invalid_price"
    if not 1 <= terms.quantity_lots <= AMOUNT_MAX:
        return "invalid_quantity"
    if not risk.special_is_known(terms):
        return "invalid_order"
    linked = state.matcher.is_linked(order)
    if linked and terms.quantity_lots != order.terms.quantity_lots:
        return "linked_order"
    filled_lots = order.terms.quantity_lots - order.left_lots
    return "amend_below_filled" if terms.quantity_lots <= filled_lots else ""


def _pair_refusal(state: State, order: Order, book: Book, terms: Terms) -> str:
    """The market stays between the two of a pair."""
    other = state.matcher.other_of(order)
    if other is None:
        return ""
    if order.place == ARMED:
        apart = pair_is_apart(other.terms, stop_now_ticks(order, terms, book))
    else:
        apart = pair_is_apart(terms, stop_now_ticks(other, other.terms, book))
    return "" if apart else "invalid_pair"


def _position_refusal(state: State, order: Order, book: Book, terms: Terms) -> str:
    more_lots = terms.quantity_lots - order.terms.quantity_lots
    most = book.instrument.max_position_lots
    if not most or order.side != BUY or more_lots <= 0:
        return ""
    lots = risk.position_lots(order.account, book.instrument, state.orders) + more_lots
    return "max_position" if lots > most else ""


def _worst_ticks(order: Order, book: Book, terms: Terms) -> int:
    if active_trails(order, book) is not None:
        return order.price_ticks
    return risk.worst_price_ticks(terms, book)


def _move(
    state: State,
    order: Order,
    book: Book,
    terms: Terms,
    price_ticks: int,
    remaining_lots: int,
    hold_minor: int,
    events: list[AnyEvent],
) -> None:
    """Takes the order out of where it stands and lets it arrive again as it is now."""
    own, opposite = book.side(order.side), book.opposite(order.side)
    waits = order.place == ARMED
    # What a stop trails is its own, whatever else of it changes.
    trails = waits and active_trails(order, book) is not None
    book_price_ticks = book_lots = 0
    if waits and not trails:
        disarm(order, book)
    elif not waits:
        book_price_ticks, book_lots = order.price_ticks, order.remaining_lots
        own.remove(order.order_id, order.price_ticks)
        order.place = NOWHERE
        state.matcher.change_role(order, order.instrument.taker_fee_ppm)
    order.terms = terms
    order.price_ticks = price_ticks
    order.arrived_after, order.arrived_seq = state.matcher.next_order_id - 1, state.seq
    order.remaining_lots, order.hidden_lots = remaining_lots, 0
    note_amended(order, hold_minor, book_price_ticks, book_lots, USER, events)
    if waits and not trails:
        arm(order, book)
    elif not waits:
        state.matcher.arrive(order, book, own, opposite, state.second, events)
