"""Every command but ``Place``: accounts, markets, money in and out, cancels, state of the venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apps.engine import risk
from apps.engine.amend import amend
from apps.engine.block_entry import add_legs, open_block, remember_opening, submit_block
from apps.engine.blocks import amend_block, cancel_leg, remove_legs
from apps.engine.book import Book
from apps.engine.entry import CLOCK_SKEW_NS
from apps.engine.halts import call_auction, reopen_market
from apps.engine.idempotency import repeat_answer
from apps.engine.messages import (
    AMOUNT_MAX,
    CANCEL_ONLY,
    CANCELLED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    HALTED,
    OPEN,
    AccountOpened,
    AccountSet,
    AddLegs,
    Amend,
    AmendBlock,
    AnyCommand,
    AnyEvent,
    CallAuction,
    Cancel,
    CancelAll,
    CancelAllAfter,
    Deposit,
    Deposited,
    Duplicate,
    Hold,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    InstrumentListed,
    InstrumentSet,
    Kill,
    ListInstrument,
    OpenAccount,
    OpenBlock,
    Quarantined,
    ReferenceSet,
    Rejected,
    Release,
    RemoveLegs,
    ReopenMarket,
    RulesSet,
    SetAccount,
    SetInstrument,
    SetReference,
    SetRules,
    Settle,
    SetVenue,
    SubmitBlock,
    Transfer,
    Transferred,
    VenueSet,
)
from apps.engine.risk import COMMAND_ID_BYTES
from apps.engine.state import RULES_VERSIONS, SECOND_NS, State
from apps.engine.sweeping import cancel_all, cancel_all_after, kill

COMMAND_VALID_NS: Final = 300 * SECOND_NS + CLOCK_SKEW_NS
TRANSFER_LEGS_MAX: Final = 1000


# Commands whose refusals name the account.
_OF_AN_ACCOUNT: Final = (
    OpenAccount, SetAccount, Deposit, Hold, CancelAll, CancelAllAfter, AmendBlock,
)  # fmt: skip


def control(state: State, command: AnyCommand, events: list[AnyEvent]) -> None:
    """Carries a command out and remembers it, or refuses it and forgets it."""
    answer: Duplicate | str
    if not 0 <= command.valid_until_ns - state.now_ns <= COMMAND_VALID_NS:
        answer = "expired_command"
    elif command.command_id in state.by_command_id:
        answer = repeat_answer(command, state.by_command_id[command.command_id])
    elif len(command.command_id) != COMMAND_ID_BYTES:
        answer = "invalid_command"
    else:
        answer = _CARRY_OUT[type(command)](state, command, events)
    if not answer and isinstance(command, OpenBlock):
        remember_opening(state, command)
    elif not answer:
        state.remember(command, 0)
    elif not isinstance(answer, str):
        events.append(answer)
    elif isinstance(command, (Cancel, Amend, OpenBlock)):
        events.append(Rejected(answer, command.account_id, command.client_order_id))
    elif isinstance(command, _OF_AN_ACCOUNT):
        events.append(Rejected(answer, command.account_id))
    else:
        events.append(Rejected(answer))


def cancel(state: State, command: Cancel, events: list[AnyEvent]) -> None:
    """A cancel to which nothing objects, which is nearly every one and every third command.

    It asks at once what ``control`` asks in turn; only ``control`` knows what to answer otherwise.
    """
    matcher = state.matcher
    order = matcher.orders.get(
        command.order_id or state.order_id_of(command.account_id, command.client_order_id)
    )
    if (
        order is not None
        and order.account.account_id == command.account_id
        and 0 <= command.valid_until_ns - state.now_ns <= COMMAND_VALID_NS
        and command.command_id not in state.by_command_id
        and len(command.command_id) == COMMAND_ID_BYTES
    ):
        matcher.close(order, state.books[order.instrument.market_id], CANCELLED, "user", events)
        state.remember(command, 0)
    else:
        control(state, command, events)


def quarantine(state: State, command: Quarantined, events: list[AnyEvent]) -> None:
    """Nobody knows what the poisoned command would have done: no new orders until staff say so."""
    if state.venue_state == OPEN:
        state.set_venue(CANCEL_ONLY)
    state.allotting.pop(command.block_id, None)
    events.append(VenueSet(state.venue_state))


# ---------------------------------------------------------------- cancels


def _cancel(state: State, command: Cancel, events: list[AnyEvent]) -> str:
    order_id = command.order_id or state.order_id_of(command.account_id, command.client_order_id)
    order = state.matcher.orders.get(order_id)
    account = state.accounts.get(command.account_id)
    if order is None and account is not None and account.legs:
        found = cancel_leg(state, account, order_id, "user", events)
        return "" if found else "order_not_found"
    # A foreign order looks like one that does not exist.
    if order is None or order.account.account_id != command.account_id:
        return "order_not_found"
    state.matcher.close(order, state.books[order.terms.market_id], CANCELLED, "user", events)
    return ""


# ---------------------------------------------------------------- accounts and markets


def _open_account(state: State, command: OpenAccount, events: list[AnyEvent]) -> str:
    if command.account_id in state.accounts:
        return "account_exists"
    reason = risk.account_refusal(command.account_id, command.trade_group, command.limits)
    if reason:
        return reason
    state.ledger.open_account(command.account_id, command.trade_group, command.limits)
    events.append(AccountOpened(command.account_id, command.trade_group, command.limits))
    return ""


def _set_account(state: State, command: SetAccount, events: list[AnyEvent]) -> str:
    account = state.accounts.get(command.account_id)
    if account is None or command.account_id in (EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID):
        return "unknown_account"
    reason = risk.account_refusal(command.account_id, command.trade_group, command.limits)
    if reason or not risk.state_is_known(command.state):
        return reason or "invalid_account"
    account_state = account.state if command.keeps_state else command.state
    account.admit(account_state, command.limits)
    account.trade_group = command.trade_group
    events.append(
        AccountSet(command.account_id, account_state, command.trade_group, command.limits)
    )
    return ""


def _list_instrument(state: State, command: ListInstrument, events: list[AnyEvent]) -> str:
    instrument = command.instrument
    if instrument.market_id in state.books:
        return "market_exists"
    reason = risk.instrument_refusal(instrument)
    if reason:
        return reason
    state.add_book(Book(instrument, state.venue_state))
    state.matcher.collect_fees_in(instrument.quote_asset_id)
    events.append(InstrumentListed(instrument))
    return ""


def _set_instrument(state: State, command: SetInstrument, events: list[AnyEvent]) -> str:
    instrument = command.instrument
    book = state.books.get(instrument.market_id)
    if book is None:
        return "unknown_market"
    before = book.instrument
    same_units = (
        instrument.base_asset_id == before.base_asset_id
        and instrument.quote_asset_id == before.quote_asset_id
        and instrument.lot_minor == before.lot_minor
        and instrument.tick_lot_minor == before.tick_lot_minor
    )
    reason = risk.instrument_refusal(instrument)
    if reason or not same_units:
        return "invalid_instrument"
    book.set_instrument(instrument, state.venue_state)
    events.append(InstrumentSet(instrument))
    return ""


def _set_reference(state: State, command: SetReference, events: list[AnyEvent]) -> str:
    book = state.books.get(command.market_id)
    if book is None:
        return "unknown_market"
    if not 1 <= command.price_ticks <= AMOUNT_MAX:
        return "invalid_price"
    book.reference.restart(command.price_ticks)
    book.loosen_band()
    events.append(ReferenceSet(command.market_id, command.price_ticks))
    return ""


def _set_rules(state: State, command: SetRules, events: list[AnyEvent]) -> str:
    if command.rules_version not in RULES_VERSIONS:
        return "rules_version"
    state.rules_version = command.rules_version
    events.append(RulesSet(command.rules_version))
    return ""


def _set_venue(state: State, command: SetVenue, events: list[AnyEvent]) -> str:
    if not risk.state_is_known(command.state):
        return "invalid_venue_state"
    state.set_venue(command.state)
    events.append(VenueSet(command.state))
    return ""


# ---------------------------------------------------------------- money in, out and across


def _deposit(state: State, command: Deposit, events: list[AnyEvent]) -> str:
    if not risk.text_is_safe(command.reference):
        return "invalid_reference"
    reason = state.ledger.deposit(command.account_id, command.asset_id, command.amount_minor)
    if not reason:
        events.append(
            Deposited(command.account_id, command.asset_id, command.amount_minor, command.reference)
        )
    return reason


def _hold(state: State, command: Hold, events: list[AnyEvent]) -> str:
    if state.venue_state == HALTED:
        return "venue_halted"
    reason = state.ledger.reserve(
        command.hold_id, command.account_id, command.asset_id, command.amount_minor
    )
    if not reason:
        events.append(
            HoldPlaced(command.hold_id, command.account_id, command.asset_id, command.amount_minor)
        )
    return reason


def _settle(state: State, command: Settle, events: list[AnyEvent]) -> str:
    ended = state.ledger.settle(command.hold_id)
    if ended is None:
        return "unknown_hold"
    events.append(HoldSettled(ended.hold_id, ended.account_id, ended.asset_id, ended.amount_minor))
    return ""


def _release(state: State, command: Release, events: list[AnyEvent]) -> str:
    ended = state.ledger.release(command.hold_id)
    if ended is None:
        return "unknown_hold"
    events.append(HoldReleased(ended.hold_id, ended.account_id, ended.asset_id, ended.amount_minor))
    return ""


def _transfer(state: State, command: Transfer, events: list[AnyEvent]) -> str:
    if not risk.text_is_safe(command.reference):
        return "invalid_reference"
    if len(command.legs) > TRANSFER_LEGS_MAX:
        return "amount_out_of_range"
    reason = state.ledger.transfer(command.legs)
    if not reason:
        events.append(Transferred(command.legs, command.reference))
    return reason


# By type, because a chain of tests would cost the commands at its end the most.
_CARRY_OUT: Final[dict[type[AnyCommand], Callable[[State, Any, list[AnyEvent]], str]]] = {
    OpenAccount: _open_account,
    SetAccount: _set_account,
    ListInstrument: _list_instrument,
    SetInstrument: _set_instrument,
    Deposit: _deposit,
    Hold: _hold,
    Settle: _settle,
    Release: _release,
    Transfer: _transfer,
    Cancel: _cancel,
    Amend: amend,
    CancelAll: cancel_all,
    CancelAllAfter: cancel_all_after,
    Kill: kill,
    CallAuction: call_auction,
    ReopenMarket: reopen_market,
    SetReference: _set_reference,
    SetRules: _set_rules,
    SetVenue: _set_venue,
    OpenBlock: open_block,
    AddLegs: add_legs,
    SubmitBlock: submit_block,
    RemoveLegs: remove_legs,
    AmendBlock: amend_block,
}
