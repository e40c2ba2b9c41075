"""Balances and ledger entries as plain dictionaries: the one shape for API, sockets and pages."""

from __future__ import annotations

from typing import Protocol

from apps.core.clock import iso
from apps.core.money import format_minor
from apps.wallets.adjustments.rules import words_of_reference
from apps.wallets.models import Balance, LedgerEntry, TradingAccount


class AssetUnits(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def scale(self) -> int: ...
    @property
    def display_decimals(self) -> int: ...


def account_json(account: TradingAccount) -> dict[str, object]:
    return {
        "id": str(account.public_id),
        "kind": account.kind,
        "name": account.name,
        "opened_at": iso(account.created_at),
    }


def balance_json(balance: Balance) -> dict[str, object]:
    asset = balance.asset
    return {
        "asset": asset.code,
        "available": amount_text(balance.available_minor, asset),
        "held": amount_text(balance.held_minor, asset),
        "total": amount_text(balance.available_minor + balance.held_minor, asset),
        "seq": balance.seq,
    }


def entry_json(entry: LedgerEntry) -> dict[str, object]:
    return {
        "id": str(entry.id),
        "asset": entry.asset.code,
        "amount": amount_text(entry.amount_minor, entry.asset),
        "fee": amount_text(entry.fee_minor, entry.asset),
        "kind": entry.kind,
        "reference": entry.reference,
        "note": words_of_reference(entry.reference),
        "at": iso(entry.at),
        "seq": entry.seq,
    }


def amount_text(minor: int, asset: AssetUnits) -> str:
    """Return the amount with at least as many decimals as the asset is shown with."""
    return format_minor(minor, asset.scale, min_decimals=asset.display_decimals)
