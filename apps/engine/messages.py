"""Commands that enter the engine and events that leave it: the contract with every other part.

All values are integers in the smallest unit the name says: ticks, lots, minor units, nanoseconds,
parts per million, basis points. Messages are encoded as msgpack arrays, so fields are only ever
appended, with a default, and a tag is never used again. This module decides nothing.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from apps.engine.block_messages import BLOCK_LEGS_MAX as BLOCK_LEGS_MAX
from apps.engine.block_messages import LEGS_PER_COMMAND_MAX as LEGS_PER_COMMAND_MAX
from apps.engine.block_messages import AddLegs as AddLegs
from apps.engine.block_messages import Allot as Allot
from apps.engine.block_messages import Allotted as Allotted
from apps.engine.block_messages import AmendBlock as AmendBlock
from apps.engine.block_messages import BlockClosed as BlockClosed
from apps.engine.block_messages import BlockCommand as BlockCommand
from apps.engine.block_messages import BlockEnded as BlockEnded
from apps.engine.block_messages import BlockEvent as BlockEvent
from apps.engine.block_messages import BlockLeg as BlockLeg
from apps.engine.block_messages import BlockOpened as BlockOpened
from apps.engine.block_messages import LegEntered as LegEntered
from apps.engine.block_messages import LegFill as LegFill
from apps.engine.block_messages import LegLeftOut as LegLeftOut
from apps.engine.block_messages import LegReleased as LegReleased
from apps.engine.block_messages import LegsAdded as LegsAdded
from apps.engine.block_messages import LegsReleased as LegsReleased
from apps.engine.block_messages import OpenBlock as OpenBlock
from apps.engine.block_messages import RemoveLegs as RemoveLegs
from apps.engine.block_messages import SliceCut as SliceCut
from apps.engine.block_messages import SubmitBlock as SubmitBlock
from apps.engine.block_messages import escrow_account_id as escrow_account_id
from apps.engine.block_messages import leg_name as leg_name
from apps.engine.terms import BUY as BUY
from apps.engine.terms import EXPIRE_TAKER as EXPIRE_TAKER
from apps.engine.terms import EXTERNAL_ACCOUNT_ID as EXTERNAL_ACCOUNT_ID
from apps.engine.terms import FEE_ACCOUNT_ID as FEE_ACCOUNT_ID
from apps.engine.terms import SELL as SELL
from apps.engine.terms import Command as Command
from apps.engine.terms import Event as Event
from apps.engine.terms import Special as Special
from apps.engine.terms import Terms as Terms

LIMIT: Final = 1
MARKET: Final = 2
STOP: Final = 3
STOP_LIMIT: Final = 4
TAKE_PROFIT: Final = 5
TAKE_PROFIT_LIMIT: Final = 6
TRAILING_STOP: Final = 7

GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
GTD: Final = 4

EXPIRE_MAKER: Final = 2
EXPIRE_BOTH: Final = 3
DECREMENT: Final = 4

# Market and venue states.
OPEN: Final = 1
CANCEL_ONLY: Final = 2
HALTED: Final = 3

# Phases of a market that is open: trading; at its band; collecting orders for an auction, once
# more, or until staff decide.
PHASE_OPEN: Final = 0
PHASE_LIMIT: Final = 1
PHASE_AUCTION: Final = 2
PHASE_EXTENDED: Final = 3
PHASE_STAFF: Final = 4

# Account states.
NORMAL: Final = 1
REDUCE_ONLY: Final = 2
BLOCKED: Final = 3

# What a ``Kill`` stops.
KILL_ACCOUNT: Final = 1
KILL_MARKET: Final = 2
KILL_VENUE: Final = 3

# How an order ended.
FILLED: Final = 1
CANCELLED: Final = 2
EXPIRED: Final = 3

AMOUNT_MAX: Final = 2**62


class Instrument(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One market. ``tick_lot_minor`` is the quote value of one lot at a price of one tick."""

    market_id: int
    base_asset_id: int
    quote_asset_id: int
    lot_minor: int
    tick_lot_minor: int
    min_quantity_lots: int
    max_quantity_lots: int
    min_notional_minor: int
    max_notional_minor: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    band_bps: int
    state: int = OPEN
    max_position_lots: int = 0
    symbol: str = ""
    # How long the limit state and the pause of a market last; zero: it has neither, only a band.
    limit_state_seconds: int = 0
    halt_seconds: int = 0


class Limits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Limits of one account; zero means none.

    ``below_minimums`` lifts a market's minimum quantity and notional: for the house accounts
    that repeat another venue's book, where what is left of an order may be one lot.
    ``max_order_notional_minor`` is what one order may be worth in ``notional_asset_id``, whatever
    its market is quoted in; it counts at the last price between the two assets.
    """

    max_open_orders: int = 200
    orders_per_second: int = 50
    repeated_orders_per_second: int = 10
    below_minimums: bool = False
    max_order_notional_minor: int = 0
    notional_asset_id: int = 0


class Leg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One side of a transfer: a signed change of an account's available balance."""

    account_id: int
    asset_id: int
    amount_minor: int


class OpenAccount(Command, frozen=True, array_like=True, gc=False, tag=1):
    account_id: int
    trade_group: int
    limits: Limits = Limits()


class SetAccount(Command, frozen=True, array_like=True, gc=False, tag=2):
    """With ``keeps_state`` the state stays what it is: a change of limits never lifts a block."""

    account_id: int
    state: int
    trade_group: int
    limits: Limits
    keeps_state: bool = False


class ListInstrument(Command, frozen=True, array_like=True, gc=False, tag=3):
    instrument: Instrument


class SetInstrument(Command, frozen=True, array_like=True, gc=False, tag=4):
    """Replaces fees, limits, band and state; assets, lot and tick of a market never change."""

    instrument: Instrument


class Deposit(Command, frozen=True, array_like=True, gc=False, tag=5):
    account_id: int
    asset_id: int
    amount_minor: int
    reference: str = ""


class Hold(Command, frozen=True, array_like=True, gc=False, tag=6):
    """First phase of a withdrawal: ``hold_id`` is chosen by the caller and used once."""

    account_id: int
    asset_id: int
    amount_minor: int
    hold_id: int


class Settle(Command, frozen=True, array_like=True, gc=False, tag=7):
    hold_id: int


class Release(Command, frozen=True, array_like=True, gc=False, tag=8):
    hold_id: int


class Transfer(Command, frozen=True, array_like=True, gc=False, tag=9):
    """All legs or none; the legs sum to zero per asset."""

    legs: tuple[Leg, ...]
    reference: str = ""


class Place(Command, frozen=True, array_like=True, gc=False, tag=10):
    account_id: int
    client_order_id: str
    terms: Terms


class Cancel(Command, frozen=True, array_like=True, gc=False, tag=11):
    """Names the order by engine id, or, where that is zero, by the owner's own id."""

    account_id: int
    order_id: int = 0
    client_order_id: str = ""


class CancelAll(Command, frozen=True, array_like=True, gc=False, tag=12):
    """Account zero means every account, market zero every market, side zero both.

    With ``reduce_only`` that is the reason which the orders' owner is told: it was not himself.
    """

    account_id: int
    market_id: int = 0
    side: int = 0
    reduce_only: bool = False


class Tick(Command, frozen=True, array_like=True, gc=False, tag=13):
    """Lets time pass: due timers run, nothing else happens."""


class SetReference(Command, frozen=True, array_like=True, gc=False, tag=14):
    """Restarts the band's price reference of a market, after a gap in its trading."""

    market_id: int
    price_ticks: int


class SetRules(Command, frozen=True, array_like=True, gc=False, tag=15):
    rules_version: int


class SetVenue(Command, frozen=True, array_like=True, gc=False, tag=16):
    """State of the whole venue; with ``CancelAll`` of account zero this is the kill switch."""

    state: int


class Malformed(Command, frozen=True, array_like=True, gc=False, tag=17):
    """Written by the host in place of bytes that could not be decoded."""

    raw: bytes


class Quarantined(Command, frozen=True, array_like=True, gc=False, tag=18):
    """Written by the host in place of a command whose apply raised twice.

    ``block_id`` is that of an ``Allot``: the host asks for that block no more, until somebody
    else has sent an ``Allot`` for it that worked.
    """

    raw: bytes
    error: str
    block_id: int = 0


class PlacePair(Place, frozen=True, array_like=True, gc=False, tag=19):
    """Places two orders at once of which one fills, or each a part: a limit order and a stop.

    ``terms`` are those of the limit order, which is ``post_only``; ``stop_terms`` those of a stop,
    stop-limit or trailing stop of the same market, side, quantity, time in force and self-trade
    mode, further from the limit than the last price. The stop's own id is ``client_order_id``
    followed by "-stop", its order id the one after that of the limit order.
    """

    stop_terms: Terms


class Amend(Command, frozen=True, array_like=True, gc=False, tag=20):
    """Changes an open order, named as in ``Cancel``; zero leaves a term as it is.

    ``quantity_lots`` is the new total, what has filled included. Less of it at the same prices
    keeps the order's place; anything else makes it arrive anew, behind all who stand there.
    """

    account_id: int
    order_id: int = 0
    client_order_id: str = ""
    quantity_lots: int = 0
    price_ticks: int = 0
    stop_ticks: int = 0


class Replace(Place, frozen=True, array_like=True, gc=False, tag=21):
    """Ends an order and places another in its market and on its side, or does neither.

    ``replaced_id`` names the order to end by engine id, or, where that is zero,
    ``replaced_client_id`` by the owner's own.
    """

    replaced_id: int = 0
    replaced_client_id: str = ""


class Kill(Command, frozen=True, array_like=True, gc=False, tag=22):
    """Stops an account, a market or the whole venue, and cancels all of its orders.

    An account is blocked, market and venue take only cancels; ``target_id`` is the account or the
    market, zero for the venue.
    """

    scope: int
    target_id: int = 0


class CancelAllAfter(Command, frozen=True, array_like=True, gc=False, tag=23):
    """Cancels all orders of an account after so much time, unless it is sent again. 0 disarms."""

    account_id: int
    timeout_ms: int


class CallAuction(Command, frozen=True, array_like=True, gc=False, tag=24):
    """Opens a halted market by an auction: for so many seconds, in steps of so many orders."""

    market_id: int
    seconds: int
    step_orders: int = 0


class ReopenMarket(Command, frozen=True, array_like=True, gc=False, tag=25):
    """Ends the call phase of an auction at once, at its price."""

    market_id: int


AnyCommand: TypeAlias = (
    OpenAccount | SetAccount | ListInstrument | SetInstrument | Deposit | Hold | Settle | Release
    | Transfer | Place | Cancel | CancelAll | Tick | SetReference | SetRules | SetVenue
    | Malformed | Quarantined | Amend | Replace | Kill | CancelAllAfter | BlockCommand
    | CallAuction | ReopenMarket | PlacePair
)  # fmt: skip


class AccountOpened(Event, frozen=True, array_like=True, gc=False, tag=1):
    account_id: int
    trade_group: int
    limits: Limits


class AccountSet(Event, frozen=True, array_like=True, gc=False, tag=2):
    account_id: int
    state: int
    trade_group: int
    limits: Limits


class InstrumentListed(Event, frozen=True, array_like=True, gc=False, tag=3):
    instrument: Instrument


class InstrumentSet(Event, frozen=True, array_like=True, gc=False, tag=4):
    instrument: Instrument


class Deposited(Event, frozen=True, array_like=True, gc=False, tag=5):
    """Value moved from the external account to an account's available balance."""

    account_id: int
    asset_id: int
    amount_minor: int
    reference: str


class HoldPlaced(Event, frozen=True, array_like=True, gc=False, tag=6):
    hold_id: int
    account_id: int
    asset_id: int
    amount_minor: int


class HoldSettled(Event, frozen=True, array_like=True, gc=False, tag=7):
    """Held value left for the external account."""

    hold_id: int
    account_id: int
    asset_id: int
    amount_minor: int


class HoldReleased(Event, frozen=True, array_like=True, gc=False, tag=8):
    hold_id: int
    account_id: int
    asset_id: int
    amount_minor: int


class Transferred(Event, frozen=True, array_like=True, gc=False, tag=9):
    legs: tuple[Leg, ...]
    reference: str


class Accepted(Event, frozen=True, array_like=True, gc=False, tag=10):
    """An order is live. ``hold_minor`` of ``hold_asset_id`` moved from available to held.

    Of a pair ``pair_order_id`` is the other order; what both need is held by the limit order.
    ``parent_order_id`` is the purchase that the order protects.
    """

    order_id: int
    account_id: int
    client_order_id: str
    terms: Terms
    hold_asset_id: int
    hold_minor: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    pair_order_id: int = 0
    parent_order_id: int = 0


class Rested(Event, frozen=True, array_like=True, gc=False, tag=11):
    """An order (or what is left of it) entered the book behind its price level."""

    order_id: int
    account_id: int
    market_id: int
    side: int
    price_ticks: int
    quantity_lots: int


class Triggered(Event, frozen=True, array_like=True, gc=False, tag=12):
    """An order that waited for a price became active.

    ``hold_minor`` is what it holds from now on, taken over from ``pair_order_id``, the other order
    of its pair, which has just ended. Zero: its hold is unchanged.
    """

    order_id: int
    account_id: int
    market_id: int
    hold_minor: int = 0
    pair_order_id: int = 0


class Trade(Event, frozen=True, array_like=True, gc=False, tag=13):
    """One execution at the maker's price.

    The buyer pays ``quote_minor`` and his fee and gets ``base_minor``; the seller gets
    ``quote_minor`` less his fee. ``*_hold_used_minor`` is by how much that order's hold fell (in
    quote for a buyer, base for a seller): what of it was not spent is available again.
    ``*_remaining_lots`` zero means that the order is filled (market orders by quote amount have
    no lots; their end comes as ``Closed``).
    """

    trade_id: int
    market_id: int
    taker_side: int
    price_ticks: int
    quantity_lots: int
    base_minor: int
    quote_minor: int
    maker_order_id: int
    maker_account_id: int
    maker_fee_minor: int
    maker_hold_used_minor: int
    maker_remaining_lots: int
    taker_order_id: int
    taker_account_id: int
    taker_fee_minor: int
    taker_hold_used_minor: int
    taker_remaining_lots: int


class Closed(Event, frozen=True, array_like=True, gc=False, tag=14):
    """An order ended other than by a trade that filled its last lot.

    ``status`` is FILLED, CANCELLED or EXPIRED. ``released_minor`` of its hold became available.
    ``book_lots`` lots left the book at ``price_ticks`` (zero if it was not resting).
    """

    order_id: int
    account_id: int
    market_id: int
    side: int
    status: int
    reason: str
    released_minor: int
    price_ticks: int
    book_lots: int


class Prevented(Event, frozen=True, array_like=True, gc=False, tag=15):
    """Two orders of one trade group met and did not trade."""

    market_id: int
    maker_order_id: int
    taker_order_id: int
    self_trade: int


class Rejected(Event, frozen=True, array_like=True, gc=False, tag=16):
    """A business refusal: nothing changed. At most one per command, and then its last event.

    Timers that were due run before a command, so events of other people's orders may precede it,
    as they may precede any other answer.
    """

    reason: str
    account_id: int = 0
    client_order_id: str = ""


class Duplicate(Event, frozen=True, array_like=True, gc=False, tag=17):
    """The same intent was carried out at ``original_seq``; its answer stands."""

    original_seq: int
    order_id: int = 0


class ReferenceSet(Event, frozen=True, array_like=True, gc=False, tag=18):
    market_id: int
    price_ticks: int


class RulesSet(Event, frozen=True, array_like=True, gc=False, tag=19):
    rules_version: int


class VenueSet(Event, frozen=True, array_like=True, gc=False, tag=20):
    state: int


class Amended(Event, frozen=True, array_like=True, gc=False, tag=21):
    """A live order asks for something else from here on: ``terms`` are all it asks for now.

    ``remaining_lots`` is what may still fill, ``hold_minor`` all that is reserved for it, and
    ``hold_change_minor`` what of that came from available (below zero: went back to it).
    ``book_lots`` lots left the book at ``book_price_ticks``; what enters it again follows as
    ``Rested``. ``reason`` is "user", "self_trade" or "pair".
    """

    order_id: int
    account_id: int
    market_id: int
    side: int
    terms: Terms
    price_ticks: int
    remaining_lots: int
    hold_minor: int
    hold_change_minor: int
    book_price_ticks: int
    book_lots: int
    reason: str


class CancelAfterSet(Event, frozen=True, array_like=True, gc=False, tag=26):
    """All orders of the account end at ``due_ns``; zero: they stay."""

    account_id: int
    due_ns: int


class PhaseChanged(Event, frozen=True, array_like=True, gc=False, tag=27):
    """``until_ns`` is when the phase ends by itself; zero: it does not."""

    market_id: int
    phase: int
    until_ns: int
    reason: str


class Uncrossed(Event, frozen=True, array_like=True, gc=False, tag=28):
    """An auction has a price: the next ``trade_count`` trades are at it, and both sides rested."""

    market_id: int
    price_ticks: int
    quantity_lots: int
    trade_count: int
    # (side, price, lots) that leave the book by them, at the prices of the orders.
    left: tuple[tuple[int, int, int], ...]
    auction_lots: int = 0  # of all steps so far


class Indicated(Event, frozen=True, array_like=True, gc=False, tag=29):
    """What the auction to come would trade, and how much buyers (below zero: sellers) have over."""

    market_id: int
    price_ticks: int
    quantity_lots: int
    surplus_lots: int


AnyEvent: TypeAlias = (
    AccountOpened | AccountSet | InstrumentListed | InstrumentSet | Deposited | HoldPlaced
    | HoldSettled | HoldReleased | Transferred | Accepted | Rested | Triggered | Trade | Closed
    | Prevented | Rejected | Duplicate | ReferenceSet | RulesSet | VenueSet | Amended
    | CancelAfterSet | BlockEvent | PhaseChanged | Uncrossed | Indicated
)  # fmt: skip
