"""Statements as files: CSV, sent while it is read, and PDF. Both are bounded.

Neither may hold one of the few threads of the site for long, so what is longer is refused with
words that say what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from apps.accounts.models import User
from apps.core import ratelimit
from apps.core.clock import iso
from apps.core.errors import Refused, TooMany
from apps.core.paper import Column, Document, Table, pdf_of
from apps.core.spreadsheet import lines
from apps.wallets.presentation import amount_text
from apps.wallets.statements.presentation import day_and_time, reason_of
from apps.wallets.statements.queries import AssetLine, StatedEntry, Statement, entries_of

CSV_ENTRIES_MAX: Final = 200_000
PDF_ENTRIES_MAX: Final = 5_000
_FILES: Final = ratelimit.Bucket(20, 0.1)
_COLUMNS: Final = (
    "at", "asset", "kind", "reason", "amount", "fee", "balance", "reference", "id",
)  # fmt: skip
_NOTES: Final = (
    "Times and days are UTC. Amounts are exact. A balance is all that the account had of an asset,"
    " free or held by open orders and withdrawals. An amount has its fee in it already.",
)


def statement_csv(statement: Statement) -> Iterator[str]:
    """Yield the opening balances, every entry, and the closing balances."""
    check_length(statement, CSV_ENTRIES_MAX)
    return lines(_COLUMNS, (dict(zip(_COLUMNS, row, strict=True)) for row in _csv_rows(statement)))


def statement_pdf(statement: Statement) -> bytes:
    """Return the statement on paper."""
    check_length(statement, PDF_ENTRIES_MAX)
    document = Document(
        title="Account statement",
        about=f"SUM+1 · Statement · {statement.account.name} · {statement.period.words}",
        facts=facts_of(statement),
        tables=(
            Table("Balances", _LINE_COLUMNS, [_line_row(line) for line in statement.lines],
                  empty="This account had nothing in this period."),
            Table("Entries", _ENTRY_COLUMNS, [_entry_row(each) for each in entries_of(statement)],
                  empty="Nothing moved in this period."),
        ),
        notes=_NOTES,
    )  # fmt: skip
    return pdf_of(document)


def facts_of(statement: Statement) -> list[tuple[str, str]]:
    """Return whose statement it is, of what, and until when."""
    facts = [
        ("Holder", statement.owner.display_name or statement.owner.email),
        ("Account", statement.account.name),
        ("E-mail", statement.owner.email),
        ("Number", str(statement.account.public_id)),
        ("Period", statement.period.words),
        ("Entries", str(statement.entries)),
    ]
    return [*facts, ("Until", day_and_time(statement.ends))] if statement.goes_on else facts


def check_length(statement: Statement, entries_max: int) -> None:
    """Refuse what is too long for its kind of file."""
    if statement.entries > entries_max:
        raise Refused(
            "statement_too_long",
            f"There are {statement.entries} entries in this period, and this file takes"
            f" {entries_max}. Choose a shorter period, or CSV in place of PDF.",
            entries=statement.entries, entries_max=entries_max,
        )  # fmt: skip


def hold_back_files(actor: User) -> None:
    """Limit how many files somebody has made: each takes as long as many pages."""
    verdict = ratelimit.take(f"files:{actor.pk}", _FILES)
    if not verdict.allowed:
        raise TooMany(
            "rate_limited", "Too many files at once. Wait a little.",
            retry_after_seconds=verdict.retry_after_seconds,
        )  # fmt: skip


def file_name(statement: Statement, ending: str) -> str:
    """Return a name that says what it is, in plain letters whatever the account is called."""
    account = re.sub(r"[^a-z0-9]+", "-", statement.account.name.lower()).strip("-") or "account"
    period = statement.period
    return f"sum1-statement-{account}-{period.first}-{period.last}.{ending}"


def _csv_rows(statement: Statement) -> Iterator[tuple[object, ...]]:
    for line in statement.lines:
        opening = amount_text(line.opening_minor, line.asset)
        at = iso(statement.period.begins)
        yield at, line.asset.code, "opening", "Opening balance", "", "", opening, "", ""
    for each in entries_of(statement):
        entry, asset = each.entry, each.asset
        yield (
            iso(entry.at), asset.code, entry.kind, reason_of(entry),
            amount_text(entry.amount_minor, asset), amount_text(entry.fee_minor, asset),
            amount_text(each.balance_minor, asset), entry.reference, entry.id,
        )  # fmt: skip
    for line in statement.lines:
        closing, at = amount_text(line.closing_minor, line.asset), iso(statement.ends)
        yield at, line.asset.code, "closing", "Closing balance", "", "", closing, "", ""


_LINE_COLUMNS: Final = (
    Column("Asset", 1), Column("Opening", 2, True), Column("Came in", 2, True),
    Column("Went out", 2, True), Column("Of which fees", 2, True), Column("Closing", 2, True),
)  # fmt: skip
_ENTRY_COLUMNS: Final = (
    Column("Time", 2.3), Column("Reason", 3.1), Column("Asset", 0.9), Column("Amount", 2.3, True),
    Column("Fee in it", 1.7, True), Column("Balance", 2.3, True),
)  # fmt: skip


def _line_row(line: AssetLine) -> list[str]:
    figures = (
        line.opening_minor, line.came_minor, line.went_minor, line.fees_minor, line.closing_minor
    )  # fmt: skip
    return [line.asset.code, *(amount_text(each, line.asset) for each in figures)]


def _entry_row(each: StatedEntry) -> list[str]:
    entry, asset = each.entry, each.asset
    fee = amount_text(entry.fee_minor, asset) if entry.fee_minor else ""
    return [
        day_and_time(entry.at), reason_of(entry), asset.code,
        amount_text(entry.amount_minor, asset), fee, amount_text(each.balance_minor, asset),
    ]  # fmt: skip
