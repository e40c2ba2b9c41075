"""The life of a block once it has an order: fills, slices, allotment, legs that leave, its end.

No command works on all legs: what has filled is told to them in pieces, by ``Allot``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine import risk
from apps.engine.allotting import Member
from apps.engine.balances import Account
from apps.engine.block_entry import tighter
from apps.engine.book import NOWHERE, RESTING, Book, Order
from apps.engine.escrow import AMENDED, FULL, Block
from apps.engine.messages import (
    AMOUNT_MAX,
    CANCELLED,
    EXPIRED,
    FILLED,
    LEGS_PER_COMMAND_MAX,
    Allot,
    AmendBlock,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    Closed,
    Rejected,
    RemoveLegs,
    SliceCut,
    Trade,
    Uncrossed,
)
from apps.engine.remainder import note_amended
from apps.engine.state import BLOCK_SLICE, State

SLICE_NS_MIN: Final = 100_000_000
SLICE_NS_PER_LEG: Final = 1_000_000


# ---------------------------------------------------------------- fills, slices, allotment


def follow(state: State, events: list[AnyEvent]) -> None:
    """Takes in what the events at hand did to orders of blocks, each event once."""
    start = state.followed if state.followed_seq == state.seq else 0
    auction_trades = 0
    for index in range(start, len(events)):
        event = events[index]
        if type(event) is Trade:
            if event.maker_account_id < 0:
                left = event.maker_remaining_lots
                _fill(state, event, event.maker_account_id, left, True, events)
            if event.taker_account_id < 0:
                # In an auction both are makers.
                left, made = event.taker_remaining_lots, auction_trades > 0
                _fill(state, event, event.taker_account_id, left, made, events)
            auction_trades -= 1
        elif type(event) is Uncrossed:
            auction_trades = event.trade_count
        elif type(event) is Closed and event.account_id < 0:
            _end(state, state.blocks[-event.account_id], event.status, event.reason, events)
    state.followed = len(events)
    state.followed_seq = state.seq


def _fill(
    state: State,
    trade: Trade,
    escrow_id: int,
    left_lots: int,
    made: bool,
    events: list[AnyEvent],
) -> None:
    block = state.blocks[-escrow_id]
    block.quote_minor += trade.quote_minor
    if made:
        block.made_minor += trade.quote_minor
    if not left_lots:
        _end(state, block, FILLED, FULL, events)
    elif not block.due_ns:
        _set_slice_timer(state, block)


def _set_slice_timer(state: State, block: Block) -> None:
    pause_ns = max(SLICE_NS_MIN, SLICE_NS_PER_LEG * block.live_legs)
    block.due_ns = state.now_ns + pause_ns
    block.due_seq = state.seq
    state.add_timer(block.due_ns, block.due_seq, BLOCK_SLICE, block.block_id)


def slice_is_due(state: State, block_id: int, events: list[AnyEvent]) -> None:
    """A timer ran out: what has filled is cut off, unless the slice before is still at work."""
    follow(state, events)
    block = state.blocks[block_id]
    if block.status:
        return
    if block.slice is not None:
        _set_slice_timer(state, block)
    else:
        _cut(state, block, events)


def opening_is_over(state: State, block_id: int, events: list[AnyEvent]) -> None:
    _end(state, state.blocks[block_id], EXPIRED, "not_submitted", events)


def _end(state: State, block: Block, status: int, reason: str, events: list[AnyEvent]) -> None:
    """Nothing more will fill: the last slice is cut, with everything that there still is."""
    if block.status:
        return
    block.status, block.reason = status, reason
    block.due_ns = 0
    market_id = block.terms.market_id
    if block.order is not None:
        del state.matcher.blocks[block.order.order_id]
    events.append(BlockEnded(block.block_id, market_id, status, reason))
    if block.slice is None:
        _cut(state, block, events)


def _cut(state: State, block: Block, events: list[AnyEvent]) -> None:
    found = block.cut()
    state.allotting[block.block_id] = None
    if found.lots:
        events.append(
            SliceCut(
                block.block_id, block.terms.market_id, found.number, found.lots,
                found.quote_minor, found.made_minor,
            )
        )  # fmt: skip


def allot(state: State, command: Allot, events: list[AnyEvent]) -> None:
    """Not remembered as other commands are: it says "go on", and may be said any time."""
    block = state.blocks.get(command.block_id)
    if block is None or block.slice is None:
        events.append(Rejected("nothing_to_allot"))
        return
    if not 1 <= command.legs <= LEGS_PER_COMMAND_MAX:
        events.append(Rejected("too_many_legs"))
        return
    final = block.slice.final
    matcher = state.matcher
    house = matcher.fees[block.instrument.quote_asset_id]
    matcher.next_trade_id += block.allot(command.legs, house, matcher.next_trade_id, events)
    block.check_escrow(closed=False)
    # Whoever waits longest is next; one that was put aside is asked for again.
    state.allotting.pop(block.block_id, None)
    if block.slice is not None:
        state.allotting[block.block_id] = None
    elif final:
        block.check_escrow(closed=True)
        del state.blocks[block.block_id]
        events.append(BlockClosed(block.block_id, block.terms.market_id))
    elif block.status:
        _cut(state, block, events)


# ---------------------------------------------------------------- leaving, cancelling, amending


def remove_legs(state: State, command: RemoveLegs, events: list[AnyEvent]) -> str:
    block = state.blocks.get(command.block_id)
    if block is None:
        return "unknown_block"
    if block.status:
        return "block_ended"
    if not 1 <= len(command.account_ids) <= LEGS_PER_COMMAND_MAX:
        return "too_many_legs"
    if not 1 <= len(command.reason) <= 40 or not risk.text_is_safe(command.reason):
        return "invalid_reference"
    if block.members[0].account.account_id in command.account_ids:
        return "leader_leg"
    found = dict.fromkeys(command.account_ids)
    members = [block.by_account[each] for each in found if each in block.by_account]
    _leave(state, block, members, command.reason, events)
    return ""


def _leave(
    state: State, block: Block, members: list[Member], reason: str, events: list[AnyEvent]
) -> None:
    block.leave(members, CANCELLED, reason, events)
    order = block.order
    if order is not None and not order.remaining_lots and order.place == RESTING:
        book = state.books[block.terms.market_id]
        state.matcher.close(order, book, FILLED, FULL, events)


def cancel_leg(
    state: State, account: Account, order_id: int, reason: str, events: list[AnyEvent]
) -> bool:
    """The owner of a leg leaves; the leader's leg is the block. False: there is nothing to end."""
    block_id = account.legs.get(order_id)
    if block_id is None:
        return False
    block = state.blocks[block_id]
    member = block.by_account[account.account_id]
    if block.status or member.left:
        return False
    if member is not block.members[0]:
        _leave(state, block, [member], reason, events)
    elif block.order is None:
        _end(state, block, CANCELLED, reason, events)
    else:
        book = state.books[block.terms.market_id]
        state.matcher.close(block.order, book, CANCELLED, reason, events)
    return True


def cancel_legs(
    state: State,
    account: Account,
    market_id: int,
    side: int,
    reason: str,
    events: list[AnyEvent],
) -> None:
    """Legs of an account; zero stands for every market, and for either side."""
    # A block may have ended a moment ago.
    follow(state, events)
    for order_id, block_id in sorted(account.legs.items()):
        block = state.blocks[block_id]
        if market_id in (0, block.terms.market_id) and side in (0, block.terms.side):
            cancel_leg(state, account, order_id, reason, events)


def cancel_openings(
    state: State, market_id: int, side: int, reason: str, events: list[AnyEvent]
) -> None:
    """Blocks that have no order in the market yet."""
    for block in list(state.blocks.values()):
        named = market_id in (0, block.terms.market_id) and side in (0, block.terms.side)
        if block.order is None and named:
            _end(state, block, CANCELLED, reason, events)


def amend_block(state: State, command: AmendBlock, events: list[AnyEvent]) -> str:
    block = state.blocks.get(command.block_id)
    # A foreign block looks like one that does not exist.
    if block is None or block.members[0].account.account_id != command.account_id:
        return "unknown_block"
    order = block.order
    if order is None:
        return "block_not_submitted"
    if block.status or order.place != RESTING:
        return "block_ended"
    book = state.books[block.terms.market_id]
    book.fix_band(state.second)
    total_lots = command.quantity_lots or order.terms.quantity_lots
    price_ticks = command.price_ticks or order.price_ticks
    reason = _amend_refusal(state, block, order, book, total_lots, price_ticks)
    if reason:
        return reason
    lots = order.terms.quantity_lots - total_lots
    order.remaining_lots -= lots
    block.mark_lots -= lots
    block.reduced_lots += lots
    if price_ticks == order.price_ticks:
        block.reduce_order(lots, events)
    else:
        _reprice(state, block, order, book, lots, price_ticks, events)
    return ""


def _amend_refusal(
    state: State, block: Block, order: Order, book: Book, total_lots: int, price_ticks: int
) -> str:
    leader = block.members[0].account
    # At another price it arrives anew, which counts as it does of any order.
    if price_ticks != order.price_ticks and leader.count_orders(state.second, 1):
        return "rate_limit"
    reason = risk.state_refusal(leader.state, state.venue_state, book.instrument.state, order.side)
    if reason:
        return reason
    if not 1 <= price_ticks <= AMOUNT_MAX:
        return "invalid_price"
    if not 1 <= total_lots <= order.terms.quantity_lots:
        return "invalid_quantity"
    if total_lots <= order.terms.quantity_lots - order.remaining_lots:
        return "amend_below_filled"
    if tighter(order.side, price_ticks, block.worst_ticks) != price_ticks:
        return "worst_price"
    if price_ticks == order.price_ticks:
        return ""
    terms = msgspec.structs.replace(order.terms, price_ticks=price_ticks)
    return risk.limit_price_refusal(terms, book)


def _reprice(
    state: State,
    block: Block,
    order: Order,
    book: Book,
    lots: int,
    price_ticks: int,
    events: list[AnyEvent],
) -> None:
    """The order leaves its place and arrives again at another price; it may take."""
    own, opposite = book.side(order.side), book.opposite(order.side)
    book_price_ticks, book_lots = order.price_ticks, order.remaining_lots + lots
    own.remove(order.order_id, book_price_ticks)
    order.place = NOWHERE
    state.matcher.change_role(order, 0)
    order.price_ticks = price_ticks
    order.arrived_after, order.arrived_seq = state.matcher.next_order_id - 1, state.seq
    order.terms = msgspec.structs.replace(
        order.terms,
        quantity_lots=order.terms.quantity_lots - lots,
        price_ticks=price_ticks,
    )
    hold_minor = block.order_hold_minor(order.remaining_lots, price_ticks)
    note_amended(order, hold_minor, book_price_ticks, book_lots, AMENDED, events)
    state.matcher.arrive(order, book, own, opposite, state.second, events)
