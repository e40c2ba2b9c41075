"""What an event moves: the same for the ledger, for projections and for checks.

It is part of the contract, as the messages are, and decides as little.
"""

from __future__ import annotations

from typing import TypeAlias

from apps.engine.block_messages import block_postings
from apps.engine.messages import (
    BUY,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    Accepted,
    Allotted,
    Amended,
    AnyEvent,
    Closed,
    Deposited,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    LegsAdded,
    LegsReleased,
    Trade,
    Transferred,
)

# A change of one balance: account, asset, and by how much available and held changed. Per event,
# available plus held sum to zero over all accounts.
Posting: TypeAlias = tuple[int, int, int, int]


def postings(event: AnyEvent, instruments: dict[int, Instrument]) -> list[Posting]:
    """The balance changes that an event stands for, the same for ledger and checks."""
    # Nearly all events are of these three kinds.
    if isinstance(event, Accepted):
        return [(event.account_id, event.hold_asset_id, -event.hold_minor, event.hold_minor)]
    if isinstance(event, Trade):
        return _trade_postings(event, instruments[event.market_id])
    if isinstance(event, Closed):
        return _closed_postings(event, instruments)
    match event:
        case Deposited(account_id=account, asset_id=asset, amount_minor=amount):
            return [(account, asset, amount, 0), (EXTERNAL_ACCOUNT_ID, asset, -amount, 0)]
        case HoldPlaced(account_id=account, asset_id=asset, amount_minor=amount):
            return [(account, asset, -amount, amount)]
        case HoldReleased(account_id=account, asset_id=asset, amount_minor=amount):
            return [(account, asset, amount, -amount)]
        case HoldSettled(account_id=account, asset_id=asset, amount_minor=amount):
            return [(account, asset, 0, -amount), (EXTERNAL_ACCOUNT_ID, asset, amount, 0)]
        case Transferred(legs=legs):
            return [(leg.account_id, leg.asset_id, leg.amount_minor, 0) for leg in legs]
        case Amended(hold_change_minor=change) if change:
            asset = _spent_asset_id(event.side, instruments[event.market_id])
            return [(event.account_id, asset, -change, change)]
        case _:
            return _block_postings(event, instruments)


def _block_postings(event: AnyEvent, instruments: dict[int, Instrument]) -> list[Posting]:
    if isinstance(event, (LegsAdded, LegsReleased, Allotted)):
        market = instruments[event.market_id]
        return block_postings(event, market.base_asset_id, market.quote_asset_id)
    return []


def _spent_asset_id(side: int, instrument: Instrument) -> int:
    return instrument.quote_asset_id if side == BUY else instrument.base_asset_id


def _closed_postings(closed: Closed, instruments: dict[int, Instrument]) -> list[Posting]:
    amount = closed.released_minor
    if not amount:
        return []
    asset = _spent_asset_id(closed.side, instruments[closed.market_id])
    return [(closed.account_id, asset, amount, -amount)]


def _trade_postings(trade: Trade, instrument: Instrument) -> list[Posting]:
    base, quote = instrument.base_asset_id, instrument.quote_asset_id
    maker = trade.maker_account_id, trade.maker_fee_minor, trade.maker_hold_used_minor
    taker = trade.taker_account_id, trade.taker_fee_minor, trade.taker_hold_used_minor
    (buyer, buyer_fee, buyer_used), (seller, seller_fee, seller_used) = (
        (taker, maker) if trade.taker_side == BUY else (maker, taker)
    )
    base_minor, quote_minor = trade.base_minor, trade.quote_minor
    return [
        (buyer, quote, buyer_used - quote_minor - buyer_fee, -buyer_used),
        (buyer, base, base_minor, 0),
        (seller, base, seller_used - base_minor, -seller_used),
        (seller, quote, quote_minor - seller_fee, 0),
        (FEE_ACCOUNT_ID, quote, buyer_fee + seller_fee, 0),
    ]
