"""What a snapshot keeps of blocks. Everything that follows from it is not written."""

from __future__ import annotations

import msgspec

from apps.engine.allotting import Member, Slice
from apps.engine.balances import Balance
from apps.engine.book import RESTING, Order
from apps.engine.escrow import Block
from apps.engine.idempotency import Remembered
from apps.engine.messages import GTD, Instrument, OpenBlock, Terms
from apps.engine.state import BLOCK_OPENING, BLOCK_SLICE, GOOD_TILL_DATE, State


class MemberState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    order_id: int
    account_id: int
    trade_group: int
    lots: int
    reserve_minor: int
    given_lots: int
    made_minor: int
    taken_minor: int
    share_lots: int
    quote_minor: int
    slice_made_minor: int
    left: bool
    owed_lots: int
    ended: bool
    status: int
    reason: str


class SliceState(msgspec.Struct, frozen=True, array_like=True):
    """``keys`` may outgrow 64 bits, so they are text."""

    number: int
    lots: int
    quote_minor: int
    made_minor: int
    pool_lots: int
    rest_lots: int
    size_lots: int
    filled_lots: int
    final: bool
    phase: int
    cursor: int
    given_lots: int
    given_minor: int
    given_made_minor: int
    keys: list[str]
    made_keys: list[str]


class BlockOrderState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    order_id: int
    terms: Terms
    price_ticks: int
    remaining_lots: int
    hold_minor: int
    arrived: tuple[int, int] | None = None


class BlockState(msgspec.Struct, frozen=True, array_like=True):
    """``balances`` are (asset, available, held) of the escrow account. Leavers are by order id."""

    block_id: int
    client_order_id: str
    trade_group: int
    terms: Terms
    instrument: Instrument
    worst_ticks: int
    fee_ppm: int
    opened_seq: int
    open_until_ns: int
    submitted_seq: int
    status: int
    reason: str
    mark_lots: int
    quote_minor: int
    made_minor: int
    owed_lots: int
    reduced_lots: int
    size_lots: int
    given_lots: int
    slices: int
    due_ns: int
    due_seq: int
    balances: list[tuple[int, int, int]]
    members: list[MemberState]
    leavers: list[int]
    order: BlockOrderState | None
    slice: SliceState | None


def dump(state: State) -> list[BlockState]:
    return [_block(block) for block in state.blocks.values()]


def _block(block: Block) -> BlockState:
    order = block.order
    balances = block.escrow.balances
    return BlockState(
        block.block_id, block.client_order_id, block.escrow.trade_group, block.terms,
        block.instrument, block.worst_ticks, block.fee_ppm, block.opened_seq,
        block.open_until_ns, block.submitted_seq, block.status, block.reason, block.mark_lots,
        block.quote_minor, block.made_minor, block.owed_lots, block.reduced_lots,
        block.size_lots, block.given_lots, block.slices, block.due_ns, block.due_seq,
        [
            (asset_id, balances[asset_id].available_minor, balances[asset_id].held_minor)
            for asset_id in sorted(balances)
            if balances[asset_id].available_minor or balances[asset_id].held_minor
        ],
        [_member(each) for each in block.members],
        [each.order_id for each in block.leavers],
        None if order is None else _order(order),
        None if block.slice is None else _slice(block.slice),
    )  # fmt: skip


def _member(member: Member) -> MemberState:
    return MemberState(
        member.order_id, member.account.account_id, member.trade_group, member.lots,
        member.reserve_minor, member.given_lots, member.made_minor, member.taken_minor,
        member.share_lots, member.quote_minor, member.slice_made_minor, member.left,
        member.owed_lots, member.ended, member.status, member.reason,
    )  # fmt: skip


def _order(order: Order) -> BlockOrderState:
    return BlockOrderState(
        order.order_id, order.terms, order.price_ticks, order.remaining_lots, order.hold_minor,
        (order.arrived_after, order.arrived_seq) if order.arrived_seq else None,
    )  # fmt: skip


def _slice(found: Slice) -> SliceState:
    return SliceState(
        found.number, found.lots, found.quote_minor, found.made_minor, found.pool_lots,
        found.rest_lots, found.size_lots, found.filled_lots, found.final, found.phase,
        found.cursor, found.given_lots, found.given_minor, found.given_made_minor,
        [str(key) for key in found.keys], [str(key) for key in found.made_keys],
    )  # fmt: skip


def load(state: State, blocks: list[BlockState], allotting: list[int]) -> None:
    """Before the queues of the books are loaded, which name the orders of blocks, too."""
    for found in blocks:
        block = _loaded(state, found)
        state.blocks[block.block_id] = block
        if block.order is None and not block.status:
            state.add_timer(block.open_until_ns, block.opened_seq, BLOCK_OPENING, block.block_id)
        if block.due_ns:
            state.add_timer(block.due_ns, block.due_seq, BLOCK_SLICE, block.block_id)
    state.allotting.update(dict.fromkeys(allotting))
    # Orders stand in the order in which they were entered.
    orders = sorted(state.orders.items())
    state.orders.clear()
    state.orders.update(orders)


def _loaded(state: State, found: BlockState) -> Block:
    block = Block(
        found.block_id, found.client_order_id, found.trade_group, found.terms, found.instrument,
        found.worst_ticks, found.fee_ppm,
    )  # fmt: skip
    for asset_id, available_minor, held_minor in found.balances:
        block.escrow.balances[asset_id] = Balance(available_minor, held_minor)
    for each in found.members:
        _load_member(state, block, each)
    if found.opened_seq <= state.forgotten_seq and not block.members[0].ended:
        _keep_name(block, found)
    block.opened_seq, block.open_until_ns = found.opened_seq, found.open_until_ns
    block.submitted_seq = found.submitted_seq
    block.status, block.reason = found.status, found.reason
    block.mark_lots, block.reduced_lots = found.mark_lots, found.reduced_lots
    block.quote_minor, block.made_minor = found.quote_minor, found.made_minor
    block.owed_lots = found.owed_lots
    block.size_lots, block.given_lots = found.size_lots, found.given_lots
    block.slices, block.due_ns, block.due_seq = found.slices, found.due_ns, found.due_seq
    by_order = {each.order_id: each for each in block.members}
    block.leavers = [by_order[order_id] for order_id in found.leavers]
    if found.slice is not None:
        block.slice = _loaded_slice(found.slice)
    if found.order is not None:
        _load_order(state, block, found.order)
    return block


def _load_member(state: State, block: Block, found: MemberState) -> None:
    member = Member(
        found.order_id, state.accounts[found.account_id], found.trade_group, found.lots,
        found.reserve_minor, found.given_lots, found.made_minor, found.taken_minor,
        found.share_lots, found.quote_minor, found.slice_made_minor, found.left,
        found.owed_lots, found.ended, found.status, found.reason,
    )  # fmt: skip
    block.restore(member)


def _keep_name(block: Block, found: BlockState) -> None:
    """Its command is forgotten, but while the leader's leg lives the owner's id stays taken."""
    leader = block.members[0]
    account = leader.account
    command = OpenBlock(
        b"", 0, found.block_id, account.account_id, found.client_order_id, found.terms
    )
    entry = Remembered(0, found.opened_seq, leader.order_id, command)
    account.client_ids[found.client_order_id] = entry
    block.is_aged = True


def _loaded_slice(found: SliceState) -> Slice:
    return Slice(
        found.number, found.lots, found.quote_minor, found.made_minor, found.pool_lots,
        found.rest_lots, found.size_lots, found.filled_lots, found.final, found.phase,
        found.cursor, found.given_lots, found.given_minor, found.given_made_minor,
        [int(key) for key in found.keys], [int(key) for key in found.made_keys],
    )  # fmt: skip


def _load_order(state: State, block: Block, found: BlockOrderState) -> None:
    order = block.order = block.new_order(
        found.order_id, found.terms, found.price_ticks, found.hold_minor
    )
    order.remaining_lots = found.remaining_lots
    if found.arrived is not None:
        order.arrived_after, order.arrived_seq = found.arrived
    if block.status:
        return
    order.place = RESTING
    block.escrow.open_orders[order.order_id] = found.terms.market_id
    state.orders[order.order_id] = order
    state.matcher.blocks[order.order_id] = block
    if found.terms.time_in_force == GTD:
        state.add_timer(
            found.terms.expires_at_ns, block.submitted_seq, GOOD_TILL_DATE, order.order_id
        )
