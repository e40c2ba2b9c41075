"""How a block comes together: opened with its leader's leg, joined by copiers, sent to the market.

No command works on more legs than it names: the order enters with the sums that the legs left.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine import risk
from apps.engine.allotting import Member
from apps.engine.balances import Account
from apps.engine.book import Book, Order
from apps.engine.escrow import Block
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCK_LEGS_MAX,
    BUY,
    EXPIRE_MAKER,
    GTC,
    GTD,
    IOC,
    LEGS_PER_COMMAND_MAX,
    LIMIT,
    MARKET,
    SELL,
    Accepted,
    AddLegs,
    AnyEvent,
    BlockLeg,
    BlockOpened,
    LegEntered,
    LegLeftOut,
    LegsAdded,
    OpenBlock,
    SubmitBlock,
    Terms,
    leg_name,
)
from apps.engine.rates import PPM
from apps.engine.state import BLOCK_OPENING, GOOD_TILL_DATE, SECOND_NS, State

# A block that is not submitted by then gives everything back.
OPEN_NS: Final = 10 * SECOND_NS

# An order of thousands of accounts is more work than one of a single account: it counts as so many
# of its leader's orders of a second, but one can be sent by whoever may send anything.
BLOCK_WEIGHT: Final = 10

_FORCES: Final = frozenset({(LIMIT, GTC), (LIMIT, GTD), (LIMIT, IOC), (MARKET, IOC)})


# ---------------------------------------------------------------- opening


def open_block(state: State, command: OpenBlock, events: list[AnyEvent]) -> str:
    """The lead order's terms and its leg; whether this is refused decides about the block."""
    terms = command.terms
    account = state.accounts.get(command.account_id)
    if account is None:
        return "unknown_account"
    reason = _ids_refusal(state, command, account)
    if reason:
        return reason
    # Refused ones count, too.
    if account.count_orders(state.second, min(BLOCK_WEIGHT, account.placed_orders_max)):
        return "rate_limit"
    book = state.books.get(terms.market_id)
    if book is None:
        return "unknown_market"
    book.fix_band(state.second)
    reason = _terms_refusal(state, command, account, book)
    if reason:
        return reason
    worst_ticks = risk.worst_price_ticks(terms, book)
    if command.cap_ticks:
        worst_ticks = tighter(terms.side, worst_ticks, command.cap_ticks)
    instrument = book.instrument
    block = Block(
        command.block_id, command.client_order_id, account.trade_group, terms, instrument,
        worst_ticks, risk.hold_fee_ppm(terms, instrument),
    )  # fmt: skip
    leg = BlockLeg(command.account_id, terms.quantity_lots, command.fraction_ppm)
    lots, reason = _leg_lots(state, block, account, leg)
    reason = reason or _leg_refusal(state, block, account, lots, book)
    if reason:
        return reason
    block.opened_seq = state.seq
    block.open_until_ns = state.now_ns + OPEN_NS
    state.blocks[block.block_id] = block
    state.recent_blocks[block.block_id] = None
    state.add_timer(block.open_until_ns, state.seq, BLOCK_OPENING, block.block_id)
    events.append(
        BlockOpened(
            block.block_id, command.account_id, command.client_order_id, terms, worst_ticks,
            instrument.maker_fee_ppm, instrument.taker_fee_ppm,
        )
    )  # fmt: skip
    entered = _enter_leg(state, block, account, lots)
    events.append(_added(block, command.client_order_id, (entered,), ()))
    return ""


def _ids_refusal(state: State, command: OpenBlock, account: Account) -> str:
    if not 1 <= command.block_id <= AMOUNT_MAX:
        return "invalid_block"
    if command.block_id in state.blocks or command.block_id in state.recent_blocks:
        return "block_exists"
    if not risk.client_order_id_is_valid(command.client_order_id):
        return "invalid_order"
    return "id_reused" if command.client_order_id in account.client_ids else ""


def remember_opening(state: State, command: OpenBlock) -> None:
    """The owner's id stands for the leader's leg, and is taken as that of an order is."""
    leader = state.blocks[command.block_id].members[0]
    entry = state.remember(command, leader.order_id)
    leader.account.client_ids[command.client_order_id] = entry


def _terms_refusal(state: State, command: OpenBlock, account: Account, book: Book) -> str:
    """The terms as of an order of this account, but for quantity: that counts with all legs."""
    terms = command.terms
    by_fraction = command.fraction_ppm != 0
    if by_fraction and (terms.quantity_lots or terms.side != SELL):
        return "invalid_order"
    if (terms.order_type, terms.time_in_force) not in _FORCES or terms.quote_minor:
        return "invalid_order"
    if terms.special is not None:
        return "invalid_order"
    if not 0 <= command.cap_ticks <= AMOUNT_MAX:
        return "invalid_price"
    counted = msgspec.structs.replace(terms, quantity_lots=1) if by_fraction else terms
    return (
        risk.state_refusal(account.state, state.venue_state, book.instrument.state, terms.side)
        or risk.shape_refusal(counted, state.now_ns)
        or risk.price_refusal(terms, book)
    )


def tighter(side: int, ticks: int, other_ticks: int) -> int:
    return min(ticks, other_ticks) if side == BUY else max(ticks, other_ticks)


def add_legs(state: State, command: AddLegs, events: list[AnyEvent]) -> str:
    block = state.blocks.get(command.block_id)
    if block is None:
        return "unknown_block"
    if block.order is not None or block.status:
        return "block_submitted"
    room = min(LEGS_PER_COMMAND_MAX, BLOCK_LEGS_MAX - len(block.members))
    if not 1 <= len(command.legs) <= room:
        return "too_many_legs"
    book = state.books[block.terms.market_id]
    entered: list[LegEntered] = []
    left_out: list[LegLeftOut] = []
    for leg in command.legs:
        reason = _join(state, block, leg, book, entered)
        if reason:
            left_out.append(LegLeftOut(leg.account_id, reason))
    events.append(_added(block, leg_name(block.block_id), tuple(entered), tuple(left_out)))
    return ""


def _added(
    block: Block,
    client_order_id: str,
    entered: tuple[LegEntered, ...],
    left_out: tuple[LegLeftOut, ...],
) -> LegsAdded:
    terms = block.terms
    return LegsAdded(
        block.block_id, terms.market_id, terms.side, entered, left_out, client_order_id, terms
    )


def _join(state: State, block: Block, leg: BlockLeg, book: Book, entered: list[LegEntered]) -> str:
    """A copier's leg, or the reason why it is left out."""
    account = state.accounts.get(leg.account_id)
    if account is None:
        return "unknown_account"
    if leg.account_id in block.by_account:
        return "duplicate_leg"
    reason = risk.state_refusal(
        account.state, state.venue_state, book.instrument.state, block.terms.side
    )
    if reason:
        return reason
    if leg.cap_ticks and tighter(block.terms.side, leg.cap_ticks, block.worst_ticks) != (
        block.worst_ticks
    ):
        return "slippage_cap"
    lots, reason = _leg_lots(state, block, account, leg)
    reason = reason or _leg_refusal(state, block, account, lots, book)
    if not reason:
        entered.append(_enter_leg(state, block, account, lots))
    return reason


def _leg_lots(state: State, block: Block, account: Account, leg: BlockLeg) -> tuple[int, str]:
    """Lots of a leg: as it says, or its fraction of the holding, of which so much is free."""
    if not leg.fraction_ppm:
        valid = 1 <= leg.lots <= AMOUNT_MAX
        return leg.lots, "" if valid else "invalid_quantity"
    if block.buys or leg.lots or not 1 <= leg.fraction_ppm <= PPM:
        return 0, "invalid_quantity"
    asset_id = block.instrument.base_asset_id
    balance = account.balance(asset_id)
    holding_minor = balance.available_minor + balance.held_minor
    for block_id in account.legs.values():
        other = state.blocks[block_id]
        if other.spent_asset_id == asset_id:
            holding_minor += other.by_account[account.account_id].reserve_minor
    wanted_minor = min(holding_minor * leg.fraction_ppm // PPM, balance.available_minor)
    lots = wanted_minor // block.instrument.lot_minor
    return lots, "" if lots else "nothing_to_sell"


def _leg_refusal(state: State, block: Block, account: Account, lots: int, book: Book) -> str:
    """Limits of the market and of the account, and whether the account can pay."""
    instrument = book.instrument
    if lots > book.lots_max:
        return "max_quantity"
    notional_minor = lots * block.worst_ticks * instrument.tick_lot_minor
    reason = risk.value_refusal(account.limits, notional_minor, book)
    if reason:
        return reason
    if len(account.open_orders) + len(account.legs) >= account.open_orders_max:
        return "max_open_orders"
    most = instrument.max_position_lots
    if most and block.buys and risk.position_lots(account, instrument, state.orders) + lots > most:
        return "max_position"
    reserve_minor = block.reserve_minor(lots, leads=not block.members)
    if account.available_minor(block.spent_asset_id) < reserve_minor:
        return "insufficient_balance"
    return ""


def _enter_leg(state: State, block: Block, account: Account, lots: int) -> LegEntered:
    """The leg's reserve moves into the escrow account."""
    reserve_minor = block.reserve_minor(lots, leads=not block.members)
    account.balance(block.spent_asset_id).available_minor -= reserve_minor
    block.money.available_minor += reserve_minor
    order_id = state.matcher.next_order_id
    state.matcher.next_order_id = order_id + 1
    block.add(Member(order_id, account, account.trade_group, lots, reserve_minor))
    return LegEntered(order_id, account.account_id, lots, reserve_minor)


# ---------------------------------------------------------------- into the market


def submit_block(state: State, command: SubmitBlock, events: list[AnyEvent]) -> str:
    """All legs enter as one order."""
    block = state.blocks.get(command.block_id)
    if block is None:
        return "unknown_block"
    if block.order is not None or block.status:
        return "block_submitted"
    book = state.books[block.terms.market_id]
    book.fix_band(state.second)
    leader = block.members[0].account
    terms = msgspec.structs.replace(
        block.terms, quantity_lots=block.size_lots, self_trade=EXPIRE_MAKER
    )
    reason = (
        risk.state_refusal(leader.state, state.venue_state, book.instrument.state, terms.side)
        or risk.shape_refusal(terms, state.now_ns)
        or risk.price_refusal(terms, book)
        or _size_refusal(block, terms, leader, book)
    )
    if reason:
        return reason
    worst_ticks = tighter(terms.side, block.worst_ticks, risk.worst_price_ticks(terms, book))
    if terms.order_type == LIMIT:
        terms = msgspec.structs.replace(terms, price_ticks=worst_ticks)
    order = _enter_order(state, block, terms, worst_ticks, book, events)
    own, opposite = book.side(order.side), book.opposite(order.side)
    state.matcher.enter(order, book, own, opposite, state.second, events)
    if terms.time_in_force == GTD and order.order_id in state.orders:
        state.add_timer(terms.expires_at_ns, state.seq, GOOD_TILL_DATE, order.order_id)
    return ""


def _size_refusal(block: Block, terms: Terms, leader: Account, book: Book) -> str:
    """A block must reach the market's minimums; its legs need not."""
    instrument = book.instrument
    lots = terms.quantity_lots
    if lots * instrument.lot_minor > AMOUNT_MAX:
        return "max_quantity"
    if lots * block.worst_ticks * instrument.tick_lot_minor > AMOUNT_MAX:
        return "max_notional"
    if leader.limits.below_minimums:
        return ""
    if lots < instrument.min_quantity_lots:
        return "min_quantity"
    price_ticks = terms.price_ticks or risk.market_reference_ticks(terms.side, book)
    notional_minor = price_ticks * lots * instrument.tick_lot_minor
    return "min_notional" if notional_minor < instrument.min_notional_minor else ""


def _enter_order(
    state: State, block: Block, terms: Terms, worst_ticks: int, book: Book, events: list[AnyEvent]
) -> Order:
    hold_minor = block.order_hold_minor(terms.quantity_lots, worst_ticks)
    order_id = state.matcher.next_order_id
    state.matcher.next_order_id = order_id + 1
    order = block.order = block.new_order(order_id, terms, worst_ticks, hold_minor)
    order.spends.hold(hold_minor)
    block.submitted_seq = state.seq
    block.mark_lots = terms.quantity_lots
    block.escrow.open_orders[order_id] = terms.market_id
    state.orders[order_id] = order
    state.matcher.blocks[order_id] = block
    events.append(
        Accepted(
            order_id, block.escrow.account_id, order.client_order_id, terms,
            block.spent_asset_id, hold_minor, 0, 0,
        )
    )  # fmt: skip
    return order
