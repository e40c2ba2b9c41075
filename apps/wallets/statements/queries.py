"""What a statement says: balances at both ends of a period, and each entry between them.

Sums and balances are read in one statement of SQL, so they are of one moment, and no entry that
came after it is listed: what opens, plus every entry, is what closes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from apps.accounts.models import User
from apps.wallets.assets import Asset, all_assets
from apps.wallets.models import LedgerEntry, TradingAccount
from apps.wallets.queries import ROWS_FETCHED, account_for
from apps.wallets.statements.rules import Period

_SUMMARY: Final = """
    SELECT coalesce(held.asset_id, moved.asset_id),
        coalesce(held.total, 0) - coalesce(moved.after, 0),
        coalesce(moved.came, 0), coalesce(moved.went, 0), coalesce(moved.fees, 0),
        coalesce(moved.entries, 0), coalesce(moved.last_id, 0)
    FROM (
        SELECT asset_id, available_minor::numeric + held_minor AS total
        FROM wallets_balance WHERE account_id = %(account)s
    ) AS held
    FULL JOIN (
        SELECT asset_id,
            sum(amount_minor) FILTER (WHERE at >= %(ends)s) AS after,
            sum(amount_minor) FILTER (WHERE at < %(ends)s AND amount_minor > 0) AS came,
            sum(-amount_minor) FILTER (WHERE at < %(ends)s AND amount_minor < 0) AS went,
            sum(fee_minor) FILTER (WHERE at < %(ends)s) AS fees,
            count(*) FILTER (WHERE at < %(ends)s) AS entries,
            max(id) FILTER (WHERE at < %(ends)s) AS last_id
        FROM wallets_ledgerentry
        WHERE account_id = %(account)s AND at >= %(begins)s GROUP BY asset_id
    ) AS moved ON moved.asset_id = held.asset_id
"""


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One asset in the period. ``fees_minor`` is part of what went, or of what came less of."""

    asset: Asset
    closing_minor: int
    came_minor: int
    went_minor: int
    fees_minor: int
    entries: int

    @property
    def opening_minor(self) -> int:
        return self.closing_minor - self.came_minor + self.went_minor


@dataclass(frozen=True, slots=True)
class Statement:
    """``last_id`` is the last entry that is counted in the sums."""

    owner: User
    account: TradingAccount
    period: Period
    ends: datetime
    goes_on: bool
    lines: list[AssetLine]
    last_id: int

    @property
    def entries(self) -> int:
        return sum(line.entries for line in self.lines)


@dataclass(frozen=True, slots=True)
class StatedEntry:
    """A ledger entry, and what the account had of its asset after it."""

    entry: LedgerEntry
    asset: Asset
    balance_minor: int


def statement_of(
    *, viewer: User, period: Period, now: datetime, account: object = None
) -> Statement:
    """Return the sums of the viewer's account over the period."""
    found = account_for(viewer=viewer, public_id=account)
    ends = period.ends(now)
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY, {"account": found.pk, "begins": period.begins, "ends": ends})
        rows = cursor.fetchall()
    assets = {asset.id: asset for asset in all_assets().values()}
    lines = [
        AssetLine(assets[row[0]], *(int(figure) for figure in row[1:6])) for row in sorted(rows)
    ]
    moving = [line for line in lines if line.opening_minor or line.closing_minor or line.entries]
    last_id = max((int(row[6]) for row in rows), default=0)
    return Statement(viewer, found, period, ends, period.goes_on(now), moving, last_id)


def entries_of(statement: Statement) -> Iterator[StatedEntry]:
    """Yield each entry of the statement, oldest first, with the balance after it."""
    assets = {line.asset.id: line.asset for line in statement.lines}
    balances = {line.asset.id: line.opening_minor for line in statement.lines}
    rows = LedgerEntry.objects.filter(
        account=statement.account, at__gte=statement.period.begins, at__lt=statement.ends,
        id__lte=statement.last_id,
    )  # fmt: skip
    for entry in rows.order_by("id").iterator(chunk_size=ROWS_FETCHED):
        balances[entry.asset_id] += entry.amount_minor
        yield StatedEntry(entry, assets[entry.asset_id], balances[entry.asset_id])
