"""From a ``Place`` command to a live order, or to the reason why not.

Nothing is changed before the last check has passed, the throttle counters aside.
"""

from __future__ import annotations

from typing import Final

from apps.engine import risk
from apps.engine.balances import Account
from apps.engine.book import Book, Order
from apps.engine.idempotency import same_body
from apps.engine.messages import (
    BUY,
    GTD,
    Accepted,
    AnyCommand,
    AnyEvent,
    Duplicate,
    Place,
    Rejected,
)
from apps.engine.state import SECOND_NS, State

# A sender's clock may be this much ahead of the journal's.
CLOCK_SKEW_NS: Final = SECOND_NS
ORDER_VALID_NS: Final = 10 * SECOND_NS + CLOCK_SKEW_NS
COMMAND_VALID_NS: Final = 300 * SECOND_NS + CLOCK_SKEW_NS
COMMAND_ID_MAX: Final = 64


def head_refusal(state: State, command: AnyCommand, valid_ns: int) -> str:
    """Stale or malformed heads, and ids that stand for another command."""
    if not 0 <= command.valid_until_ns - state.now_ns <= valid_ns:
        return "expired_command"
    if not 1 <= len(command.command_id) <= COMMAND_ID_MAX:
        return "invalid_command"
    return ""


def repeated(state: State, command: AnyCommand) -> Duplicate | Rejected | None:
    """The answer to a command whose id was used before."""
    remembered = state.window.by_id.get(command.command_id)
    if remembered is None:
        return None
    if same_body(command, remembered[3]):
        return Duplicate(remembered[1], remembered[2])
    return Rejected("id_reused")


def place(state: State, command: Place, events: list[AnyEvent]) -> None:
    reason = head_refusal(state, command, ORDER_VALID_NS)
    if not reason:
        account = state.ledger.accounts.get(command.account_id)
        duplicate = _duplicate_of(state, command, account)
        if isinstance(duplicate, Duplicate):
            events.append(duplicate)
            return
        if duplicate is not None:
            reason = duplicate.reason
        elif account is None:
            reason = "unknown_account"
        else:
            reason = _admit(state, command, account, events)
    if reason:
        events.append(Rejected(reason, command.account_id, command.client_order_id))


def _duplicate_of(
    state: State, command: Place, account: Account | None
) -> Duplicate | Rejected | None:
    answer = repeated(state, command)
    if answer is not None or account is None:
        return answer
    remembered = account.client_ids.get(command.client_order_id)
    if remembered is None:
        return None
    earlier = remembered[3]
    if isinstance(earlier, Place) and earlier.terms == command.terms:
        return Duplicate(remembered[1], remembered[2])
    return Rejected("id_reused")


def _admit(state: State, command: Place, account: Account, events: list[AnyEvent]) -> str:
    terms = command.terms
    now_ns = state.now_ns
    reason = risk.client_order_id_refusal(command.client_order_id)
    if reason:
        return reason
    reason = risk.throttle_refusal(account, terms, now_ns)
    if reason:
        return reason
    book = state.books.get(terms.market_id)
    if book is None:
        return "unknown_market"
    instrument = book.instrument
    reason = risk.state_refusal(account.state, state.venue_state, instrument.state, terms.side)
    if reason:
        return reason
    reason = risk.shape_refusal(terms, now_ns)
    if reason:
        return reason
    reference = book.reference.ticks(now_ns // SECOND_NS)
    reason = risk.price_refusal(terms, book, reference)
    if reason:
        return reason
    valuation = risk.valuation_ticks(terms, book, reference)
    reason = risk.size_refusal(terms, instrument, valuation, account.limits.below_minimums)
    if reason:
        return reason
    reason = risk.open_orders_refusal(account, terms)
    if reason:
        return reason
    if instrument.max_position_lots:
        reason = risk.position_refusal(account, terms, book, state.matcher.orders)
        if reason:
            return reason
    return _enter(state, command, account, book, reference, events)


def _enter(
    state: State,
    command: Place,
    account: Account,
    book: Book,
    reference_ticks: int,
    events: list[AnyEvent],
) -> str:
    """Takes the hold and lets the order into the market; refuses where the balance is short."""
    terms = command.terms
    instrument = book.instrument
    worst = risk.worst_price_ticks(terms, book, reference_ticks)
    fee_ppm = risk.hold_fee_ppm(terms, instrument)
    if terms.side == BUY:
        spends_id, gains_id = instrument.quote_asset_id, instrument.base_asset_id
        available = account.available_minor(spends_id)
        hold = risk.buy_order_hold_minor(terms, book, worst, fee_ppm, available)
    else:
        spends_id, gains_id = instrument.base_asset_id, instrument.quote_asset_id
        available = account.available_minor(spends_id)
        hold = terms.quantity_lots * instrument.lot_minor
    if not 0 < hold <= available:
        return "insufficient_balance"
    spends = account.balance(spends_id)
    spends.hold(hold)
    order_id = state.next_order_id
    state.next_order_id = order_id + 1
    order = Order(
        order_id,
        account.account_id,
        account.trade_group,
        command.client_order_id,
        terms,
        worst,
        hold,
        fee_ppm,
        instrument.maker_fee_ppm,
        instrument.taker_fee_ppm,
        state.seq,
        spends,
        account.balance(gains_id),
    )
    account.open_orders[order_id] = terms.market_id
    account.client_ids[command.client_order_id] = state.window.remember(
        state.now_ns, state.seq, order_id, command
    )
    events.append(
        Accepted(
            order_id,
            account.account_id,
            command.client_order_id,
            terms,
            spends_id,
            hold,
            instrument.maker_fee_ppm,
            instrument.taker_fee_ppm,
        )
    )
    state.matcher.enter(order, book, state.now_ns // SECOND_NS, events)
    if terms.time_in_force == GTD and order_id in state.matcher.orders:
        state.add_timer(order)
    return ""
