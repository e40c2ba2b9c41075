"""Statements in words, and as plain dictionaries for API and page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from apps.core.clock import iso
from apps.wallets.adjustments.rules import words_of_reference
from apps.wallets.models import LedgerEntry
from apps.wallets.presentation import amount_text
from apps.wallets.statements.queries import AssetLine, Statement

_Kind: Final = LedgerEntry.Kind
# By kind, and by whether it came in.
_WORDS: Final = {
    (_Kind.TRADE, True): "Received in trade",
    (_Kind.TRADE, False): "Given in trade",
    (_Kind.DEPOSIT, True): "Deposit",
    (_Kind.WITHDRAWAL, False): "Withdrawal",
    (_Kind.TRANSFER, True): "Transfer received",
    (_Kind.TRANSFER, False): "Transfer sent",
    (_Kind.FEE, False): "Fee",
    (_Kind.ESCROW, True): "Back from a block order",
    (_Kind.ESCROW, False): "Set aside for a block order",
}
# Whose reference is a number that says something.
_NUMBERED: Final = (_Kind.TRADE, _Kind.WITHDRAWAL)


def reason_of(entry: LedgerEntry) -> str:
    """Return why the value moved."""
    if entry.kind == _Kind.ADJUSTMENT:
        return f"Correction: {words_of_reference(entry.reference)}"
    words = _WORDS.get((_Kind(entry.kind), entry.amount_minor > 0), entry.get_kind_display())
    return f"{words} {entry.reference}" if entry.kind in _NUMBERED else words


def day_and_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def statement_json(statement: Statement) -> dict[str, object]:
    return {
        "account": str(statement.account.public_id),
        "first_day": statement.period.first.isoformat(),
        "last_day": statement.period.last.isoformat(),
        "until": iso(statement.ends),
        "entries": statement.entries,
        "items": [_line_json(line) for line in statement.lines],
    }


def _line_json(line: AssetLine) -> dict[str, object]:
    return {
        "asset": line.asset.code,
        "opening": amount_text(line.opening_minor, line.asset),
        "came_in": amount_text(line.came_minor, line.asset),
        "went_out": amount_text(line.went_minor, line.asset),
        "fees": amount_text(line.fees_minor, line.asset),
        "closing": amount_text(line.closing_minor, line.asset),
        "entries": line.entries,
    }
