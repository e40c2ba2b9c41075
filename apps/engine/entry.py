"""From a ``Place`` command to a live order, or to the reason why not.

Nothing is changed before the last check has passed, the throttle counters aside.
"""

from __future__ import annotations

from typing import Final

from apps.engine.balances import Account
from apps.engine.book import Order
from apps.engine.idempotency import repeat_answer
from apps.engine.messages import BUY, GTD, Accepted, AnyEvent, Duplicate, Place, Rejected
from apps.engine.risk import (
    CLIENT_ORDER_ID_MAX,
    COMMAND_ID_BYTES,
    hold_fee_ppm,
    id_refusal,
    order_hold_minor,
    order_refusal,
    plain_hold_minor,
    position_refusal,
    throttle_refusal,
    worst_price_ticks,
)
from apps.engine.state import SECOND_NS, State

# A sender's clock may be this much ahead of the journal's.
CLOCK_SKEW_NS: Final = SECOND_NS
ORDER_VALID_NS: Final = 10 * SECOND_NS + CLOCK_SKEW_NS


def place(state: State, command: Place, events: list[AnyEvent]) -> None:
    account = state.accounts.get(command.account_id)
    answer: Duplicate | str
    if not 0 <= command.valid_until_ns - state.now_ns <= ORDER_VALID_NS:
        answer = "expired_command"
    elif command.command_id in state.by_command_id:
        answer = repeat_answer(command, state.by_command_id[command.command_id])
    elif account is None:
        answer = "unknown_account"
    elif command.client_order_id in account.client_ids:
        answer = _client_id_answer(command, account)
    else:
        answer = _admit(state, command, account, events)
    if answer:
        if isinstance(answer, str):
            events.append(Rejected(answer, command.account_id, command.client_order_id))
        else:
            events.append(answer)


def _client_id_answer(command: Place, account: Account) -> Duplicate | str:
    remembered = account.client_ids[command.client_order_id]
    earlier = remembered.command
    if isinstance(earlier, Place) and earlier.terms == command.terms:
        return Duplicate(remembered.seq, remembered.order_id)
    return "id_reused"


def _admit(  # noqa: C901 - every order takes this way, and a call costs as much as a few checks
    state: State, command: Place, account: Account, events: list[AnyEvent]
) -> str:
    """All checks in their order, the first that refuses is told; then the hold, and in."""
    terms = command.terms
    second = state.second
    client_order_id = command.client_order_id
    if (
        len(command.command_id) != COMMAND_ID_BYTES
        or not 0 < len(client_order_id) <= CLIENT_ORDER_ID_MAX
        or not client_order_id.isascii()
        or not client_order_id.isprintable()
    ):
        return id_refusal(command)
    reason = throttle_refusal(account, terms, second)
    if reason:
        return reason
    market_id = terms.market_id
    book = state.books.get(market_id)
    if book is None:
        return "unknown_market"
    if book.band_second != second:
        book.fix_band(second)
    worst = terms.price_ticks
    hold = plain_hold_minor(account, terms, book, state.venue_state)
    plain = hold > 0
    if not plain:
        reason = order_refusal(account, terms, book, state.venue_state, state.now_ns)
        if reason:
            return reason
        worst = worst_price_ticks(terms, book)
    instrument = book.instrument
    if instrument.max_position_lots:
        reason = position_refusal(account, terms, book, state.matcher.orders)
        if reason:
            return reason
    side, account_id = terms.side, account.account_id
    if side == BUY:
        gains, spends = book.purses.get(account_id) or book.open_purse(account)
        spends_id = instrument.quote_asset_id
    else:
        spends, gains = book.purses.get(account_id) or book.open_purse(account)
        spends_id = instrument.base_asset_id
    hold = hold or order_hold_minor(terms, book, worst, spends.available_minor)
    left = spends.available_minor - hold
    if left < 0 or not hold:
        return "insufficient_balance"
    spends.available_minor = left
    spends.held_minor += hold
    fee_ppm = book.fee_ppm_max if plain else hold_fee_ppm(terms, instrument)
    order_id = state.next_order_id
    state.next_order_id = order_id + 1
    order = Order(
        order_id, account, client_order_id, terms, instrument,
        side, worst, terms.quantity_lots, hold, fee_ppm, spends, gains,
    )  # fmt: skip
    account.open_orders[order_id] = market_id
    account.client_ids[client_order_id] = state.remember(command, order_id)
    events.append(
        Accepted(
            order_id, account_id, client_order_id, terms, spends_id, hold,
            instrument.maker_fee_ppm, instrument.taker_fee_ppm,
        )
    )  # fmt: skip
    state.matcher.enter(order, book, second, plain, events)
    if not plain and terms.time_in_force == GTD and order_id in state.matcher.orders:
        state.add_timer(order)
    return ""
