"""How the ledger writes down an event. Pure: events and their postings in, the words of legs out.

A leg is what a posting changes ``available + held`` by, so holds make none. What an account pays
as a fee is inside its leg, and said beside it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from apps.engine.messages import (
    BUY,
    Allotted,
    AnyEvent,
    Deposited,
    HoldSettled,
    LegsAdded,
    LegsReleased,
    Trade,
    Transferred,
)

DEPOSIT: Final = "deposit"
WITHDRAWAL: Final = "withdrawal"
TRANSFER: Final = "transfer"
TRADE: Final = "trade"
FEE: Final = "fee"
# Between an account and a block that it has a leg in.
ESCROW: Final = "escrow"
# What staff correct; its reference says so to the engine's journal, too.
ADJUSTMENT: Final = "adjustment"
ADJUSTMENT_PREFIX: Final = "adjustment:"

# A ledger id is the command's seq, shifted, plus the number of the leg within the command.
LEG_BITS: Final = 20

# Kind, and how much of the leg is a fee.
Wording: TypeAlias = tuple[str, int]


def wording_of(event: AnyEvent, legs: int) -> list[Wording]:
    """Return kind and fee of each posting of an event that moves value between accounts.

    A trade's postings are, in this order: the buyer's quote and base, the seller's base and quote,
    and what the house earns.
    """
    match event:
        case Trade(maker_fee_minor=maker_fee, taker_fee_minor=taker_fee):
            buyer_fee, seller_fee = (
                (taker_fee, maker_fee) if event.taker_side == BUY else (maker_fee, taker_fee)
            )
            return [(TRADE, buyer_fee), (TRADE, 0), (TRADE, 0), (TRADE, seller_fee), (FEE, 0)]
        case Deposited():
            return [(DEPOSIT, 0)] * legs
        case HoldSettled():
            return [(WITHDRAWAL, 0)] * legs
        case LegsAdded() | LegsReleased():
            return [(ESCROW, 0)] * legs
        case Allotted():
            return _allotted(event, legs)
        case Transferred(reference=reference) if reference.startswith(ADJUSTMENT_PREFIX):
            return [(ADJUSTMENT, 0)] * legs
        case _:
            return [(TRANSFER, 0)] * legs


def _allotted(event: Allotted, legs: int) -> list[Wording]:
    """Per leg of the block: what comes back from escrow, the trade's quote, and its base."""
    found: list[Wording] = []
    for fill in event.fills:
        found += [(ESCROW, 0), (TRADE, fill.fee_minor), (TRADE, 0)]
    return [*found, *[(ESCROW, 0)] * (legs - len(found) - 1), (FEE, 0)]


def reference_of(event: AnyEvent) -> str:
    """Return what a ledger entry says about where it came from."""
    match event:
        case Trade(trade_id=trade_id):
            return str(trade_id)
        case Deposited(reference=reference) | Transferred(reference=reference):
            return reference
        case HoldSettled(hold_id=hold_id):
            return str(hold_id)
        case LegsAdded(block_id=block_id) | Allotted(block_id=block_id):
            return f"block {block_id}"
        case LegsReleased(block_id=block_id):
            return f"block {block_id}"
        case _:
            return ""


def entry_id(seq: int, leg_number: int) -> int:
    """Return the id of the command's leg; ids grow with time and are the same at every rebuild."""
    return seq << LEG_BITS | leg_number
