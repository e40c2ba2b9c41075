"""What staff may correct, between which accounts, and how its owner is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from apps.engine.messages import EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID, Leg
from apps.wallets.rules import ADJUSTMENT_PREFIX

# Who is asked has a week; nobody carries out today what was right long ago.
VALID_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Category:
    """``gives`` says whether the account gets value; the other side is ``counter_account_id``."""

    title: str
    gives: bool
    counter_account_id: int
    words: str


CATEGORIES: Final = {
    "goodwill": Category(
        "Goodwill: the house gives from what it has earned",
        True, FEE_ACCOUNT_ID, "A gift of ours, as we told you.",
    ),
    "fee_refund": Category(
        "Fee given back, from what the house has earned",
        True, FEE_ACCOUNT_ID, "A fee that we have given back.",
    ),
    "missed_deposit": Category(
        "Missed deposit: the coins are in custody and were never credited",
        True, EXTERNAL_ACCOUNT_ID, "A deposit of yours that we had missed.",
    ),
    "reversed_deposit": Category(
        "Reversed deposit: it was credited and has left its chain",
        False, EXTERNAL_ACCOUNT_ID, "A deposit that its chain has taken back after we credited it.",
    ),
    "wrong_credit": Category(
        "Wrong credit: the house takes back what it gave by mistake",
        False, FEE_ACCOUNT_ID, "Something that we had credited to you by mistake.",
    ),
}  # fmt: skip
HOUSE_NAMES: Final = {EXTERNAL_ACCOUNT_ID: "World outside", FEE_ACCOUNT_ID: "Fees"}


def reference_of(category: str, public_id_hex: str) -> str:
    """Return what the journal and the ledger call an adjustment."""
    return f"{ADJUSTMENT_PREFIX}{category}:{public_id_hex}"


def words_of_reference(reference: str) -> str:
    """Return what the owner of an account reads of an entry; nothing where staff corrected none."""
    if not reference.startswith(ADJUSTMENT_PREFIX):
        return ""
    category, _, _ = reference.removeprefix(ADJUSTMENT_PREFIX).partition(":")
    found = CATEGORIES.get(category)
    return "" if found is None else found.words


def legs_of(category: str, *, account_id: int, asset_id: int, amount_minor: int) -> tuple[Leg, Leg]:
    """Return the two legs, which sum to zero: the account's and the other side's."""
    found = CATEGORIES[category]
    change = amount_minor if found.gives else -amount_minor
    return (
        Leg(account_id, asset_id, change),
        Leg(found.counter_account_id, asset_id, -change),
    )
