"""Commands and events of blocks: one parent order for many accounts, filled at one average price.

``messages`` passes on the names of this module, and is where others read them.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from apps.engine.terms import BUY, FEE_ACCOUNT_ID, Command, Event, Terms

BLOCK_LEGS_MAX: Final = 20_000
LEGS_PER_COMMAND_MAX: Final = 500


def escrow_account_id(block_id: int) -> int:
    """The account that holds a block's money. No command can name it: it is below zero."""
    return -block_id


def leg_name(block_id: int) -> str:
    """What a copier's leg has for a client order id. No person can choose one with a colon."""
    return f"block:{block_id}"


class BlockLeg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one account takes part with: ``lots`` of a buy, parts per million of its holding of a
    sell. ``cap_ticks`` is the worst price it agrees to; zero leaves that to the block.
    """

    account_id: int
    lots: int = 0
    fraction_ppm: int = 0
    cap_ticks: int = 0


class OpenBlock(Command, frozen=True, array_like=True, gc=False, tag=28):
    """Opens a block with its leader's leg: the lead order's terms, with the leader's own quantity.

    ``block_id`` is chosen by the caller and used once. A sell may say ``fraction_ppm`` of the
    leader's holding in place of lots. ``cap_ticks`` is a worst price beside that of the terms.
    """

    block_id: int
    account_id: int
    client_order_id: str
    terms: Terms
    fraction_ppm: int = 0
    cap_ticks: int = 0


class AddLegs(Command, frozen=True, array_like=True, gc=False, tag=29):
    block_id: int
    legs: tuple[BlockLeg, ...]


class SubmitBlock(Command, frozen=True, array_like=True, gc=False, tag=30):
    """Sends what has come together to the market, as one order."""

    block_id: int


class Allot(Command, frozen=True, array_like=True, gc=False, tag=31):
    """The next piece of an allotment that is due, of at most so many legs. Sent by the host."""

    block_id: int
    legs: int = LEGS_PER_COMMAND_MAX


class RemoveLegs(Command, frozen=True, array_like=True, gc=False, tag=32):
    """Takes accounts out of a block; those that are not in it are passed over."""

    block_id: int
    account_ids: tuple[int, ...]
    reason: str = "leg_removed"


class AmendBlock(Command, frozen=True, array_like=True, gc=False, tag=33):
    """Less of a block, or another price; zero leaves it as it is.

    ``quantity_lots`` is the new total of the order, what has filled included; less keeps its
    place. ``price_ticks`` may move within what the legs have agreed to.
    """

    block_id: int
    account_id: int
    quantity_lots: int = 0
    price_ticks: int = 0


class LegEntered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leg is in: ``hold_minor`` moved from its available balance into the escrow account."""

    order_id: int
    account_id: int
    lots: int
    hold_minor: int


class LegLeftOut(msgspec.Struct, frozen=True, array_like=True, gc=False):
    account_id: int
    reason: str


class LegFill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leg's part of a slice. ``made_minor`` of ``quote_minor`` was traded as maker.

    ``released_minor`` is what of the reserve of a buy was not needed and went home besides,
    ``reserved_minor`` what is reserved after that: zero where the leg has ended.
    """

    order_id: int
    account_id: int
    lots: int
    base_minor: int
    quote_minor: int
    made_minor: int
    fee_minor: int
    released_minor: int
    remaining_lots: int
    reserved_minor: int


class LegReleased(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leg takes part in no further fills; ``released_minor`` of its reserve went home.

    ``owed_lots`` have filled for it and will be allotted yet; where there are none, it has ended.
    """

    order_id: int
    account_id: int
    status: int
    reason: str
    released_minor: int
    owed_lots: int


class BlockOpened(Event, frozen=True, array_like=True, gc=False, tag=32):
    """``worst_ticks`` is the price beyond which the block never trades, and its legs reserve by."""

    block_id: int
    account_id: int
    client_order_id: str
    terms: Terms
    worst_ticks: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class LegsAdded(Event, frozen=True, array_like=True, gc=False, tag=33):
    """Each leg is an order of its account, by ``terms`` with its own quantity."""

    block_id: int
    market_id: int
    side: int
    legs: tuple[LegEntered, ...]
    left_out: tuple[LegLeftOut, ...]
    client_order_id: str
    terms: Terms


class SliceCut(Event, frozen=True, array_like=True, gc=False, tag=34):
    """So much has filled since the last slice, and is allotted at one price from now on."""

    block_id: int
    market_id: int
    slice_number: int
    lots: int
    quote_minor: int
    made_minor: int


class Allotted(Event, frozen=True, array_like=True, gc=False, tag=35):
    """Legs got their parts of a slice. Each is an execution: their ids count up from the first.

    ``tick_lot_minor`` is the market's, by which average prices are told in ticks.
    """

    block_id: int
    market_id: int
    side: int
    slice_number: int
    first_trade_id: int
    fills: tuple[LegFill, ...]
    tick_lot_minor: int


class LegsReleased(Event, frozen=True, array_like=True, gc=False, tag=36):
    block_id: int
    market_id: int
    side: int
    legs: tuple[LegReleased, ...]


class BlockEnded(Event, frozen=True, array_like=True, gc=False, tag=37):
    """Nothing more will fill; what has is allotted, and then the block is closed."""

    block_id: int
    market_id: int
    status: int
    reason: str


class BlockClosed(Event, frozen=True, array_like=True, gc=False, tag=38):
    """Everything is allotted and released, and the escrow account is empty."""

    block_id: int
    market_id: int


BlockCommand: TypeAlias = OpenBlock | AddLegs | SubmitBlock | Allot | RemoveLegs | AmendBlock
BlockEvent: TypeAlias = (
    BlockOpened | LegsAdded | SliceCut | Allotted | LegsReleased | BlockEnded | BlockClosed
)

_Postings: TypeAlias = list[tuple[int, int, int, int]]


def block_postings(event: BlockEvent, base_id: int, quote_id: int) -> _Postings:
    """What an event of a block moves between its legs, its escrow account and the house."""
    match event:
        case LegsAdded():
            asset_id = quote_id if event.side == BUY else base_id
            reserved = [(leg.account_id, asset_id, -leg.hold_minor, 0) for leg in event.legs]
            total_minor = sum(leg.hold_minor for leg in event.legs)
            return [*reserved, (escrow_account_id(event.block_id), asset_id, total_minor, 0)]
        case LegsReleased():
            asset_id = quote_id if event.side == BUY else base_id
            home = [(leg.account_id, asset_id, leg.released_minor, 0) for leg in event.legs]
            total_minor = sum(leg.released_minor for leg in event.legs)
            return [*home, (escrow_account_id(event.block_id), asset_id, -total_minor, 0)]
        case Allotted(side=side) if side == BUY:
            return _bought(event, base_id, quote_id)
        case Allotted():
            return _sold(event, base_id, quote_id)
        case _:
            return []


def _bought(event: Allotted, base_id: int, quote_id: int) -> _Postings:
    """Per leg: its reserve comes back, it pays, it gets the lots. The escrow had paid before."""
    found: _Postings = []
    back_minor = base_minor = fees_minor = 0
    for fill in event.fills:
        paid_minor = fill.quote_minor + fill.fee_minor
        found.append((fill.account_id, quote_id, paid_minor + fill.released_minor, 0))
        found.append((fill.account_id, quote_id, -paid_minor, 0))
        found.append((fill.account_id, base_id, fill.base_minor, 0))
        back_minor += fill.fee_minor + fill.released_minor
        base_minor += fill.base_minor
        fees_minor += fill.fee_minor
    escrow_id = escrow_account_id(event.block_id)
    found.append((escrow_id, quote_id, -back_minor, 0))
    found.append((escrow_id, base_id, -base_minor, 0))
    found.append((FEE_ACCOUNT_ID, quote_id, fees_minor, 0))
    return found


def _sold(event: Allotted, base_id: int, quote_id: int) -> _Postings:
    """Per leg: its reserve comes back, it is paid, it gives the lots. They had left before."""
    found: _Postings = []
    quote_minor = fees_minor = 0
    for fill in event.fills:
        found.append((fill.account_id, base_id, fill.base_minor, 0))
        found.append((fill.account_id, quote_id, fill.quote_minor - fill.fee_minor, 0))
        found.append((fill.account_id, base_id, -fill.base_minor, 0))
        quote_minor += fill.quote_minor
        fees_minor += fill.fee_minor
    escrow_id = escrow_account_id(event.block_id)
    found.append((escrow_id, quote_id, -quote_minor, 0))
    found.append((FEE_ACCOUNT_ID, quote_id, fees_minor, 0))
    return found
