"""Which legs of the ledger an event makes. Pure: events in, signed amounts out.

Legs say what changed hands, so holds make none. Per event the legs of each asset sum to zero, and
per account and asset they sum to what the event's postings change available plus held by.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from apps.engine.messages import (
    BUY,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    AnyEvent,
    Deposited,
    HoldSettled,
    Instrument,
    Trade,
    Transferred,
)

DEPOSIT: Final = "deposit"
WITHDRAWAL: Final = "withdrawal"
TRANSFER: Final = "transfer"
TRADE: Final = "trade"
FEE: Final = "fee"

# A ledger id is the command's seq, shifted, plus the number of the leg within the command.
LEG_BITS: Final = 20


# Account, asset, signed amount in minor units, kind. A plain tuple: a busy second makes 100,000.
Leg: TypeAlias = tuple[int, int, int, str]


def legs_of(event: AnyEvent, instruments: dict[int, Instrument]) -> list[Leg]:
    """Return the legs of an event; none for an event that moves nothing between accounts."""
    match event:
        case Trade():
            return trade_legs(event, instruments[event.market_id])
        case Deposited(account_id=account, asset_id=asset, amount_minor=amount):
            return [
                (account, asset, amount, DEPOSIT),
                (EXTERNAL_ACCOUNT_ID, asset, -amount, DEPOSIT),
            ]
        case HoldSettled(account_id=account, asset_id=asset, amount_minor=amount):
            return [
                (account, asset, -amount, WITHDRAWAL),
                (EXTERNAL_ACCOUNT_ID, asset, amount, WITHDRAWAL),
            ]
        case Transferred(legs=legs):
            return [(leg.account_id, leg.asset_id, leg.amount_minor, TRANSFER) for leg in legs]
        case _:
            return []


def trade_legs(trade: Trade, instrument: Instrument) -> list[Leg]:
    """Return what buyer and seller exchange, and what each pays the house for it."""
    base, quote = instrument.base_asset_id, instrument.quote_asset_id
    maker, taker = trade.maker_account_id, trade.taker_account_id
    buyer, seller = (taker, maker) if trade.taker_side == BUY else (maker, taker)
    legs: list[Leg] = [
        (buyer, base, trade.base_minor, TRADE),
        (seller, base, -trade.base_minor, TRADE),
        (buyer, quote, -trade.quote_minor, TRADE),
        (seller, quote, trade.quote_minor, TRADE),
    ]
    if trade.maker_fee_minor:
        legs.append((maker, quote, -trade.maker_fee_minor, FEE))
    if trade.taker_fee_minor:
        legs.append((taker, quote, -trade.taker_fee_minor, FEE))
    fees = trade.maker_fee_minor + trade.taker_fee_minor
    if fees:
        legs.append((FEE_ACCOUNT_ID, quote, fees, FEE))
    return legs


def reference_of(event: AnyEvent) -> str:
    """Return what a ledger entry says about where it came from."""
    match event:
        case Trade(trade_id=trade_id):
            return str(trade_id)
        case Deposited(reference=reference) | Transferred(reference=reference):
            return reference
        case HoldSettled(hold_id=hold_id):
            return str(hold_id)
        case _:
            return ""


def entry_id(seq: int, leg_number: int) -> int:
    """Return the id of the command's leg; ids grow with time and are the same at every rebuild."""
    return seq << LEG_BITS | leg_number
