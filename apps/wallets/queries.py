"""Reads of trading accounts, balances and the ledger, each scoped to who looks.

An account of somebody else and an account that does not exist look the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from apps.accounts.models import User
from apps.accounts.queries import bring_along
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.core.rows import Rows
from apps.wallets.models import Balance, LedgerEntry, TradingAccount

ROWS_FETCHED = 2000
BROUGHT = "main account"

_accounts = Rows(TradingAccount)
_OF_OWNER = (
    f"SELECT {_accounts.columns} FROM wallets_tradingaccount"  # nosec B608  # the model's columns
    " WHERE owner_id = %s"
)
_IS_MAIN = f"kind = '{TradingAccount.Kind.MAIN}'"
_MAIN = f"{_OF_OWNER} AND {_IS_MAIN}"
_OWNED = f"{_OF_OWNER} AND public_id = %s"


@dataclass(frozen=True, slots=True)
class FlowRow:
    """What came to (or left) an account in the step that begins then, of one asset and kind."""

    begins: datetime
    asset_id: int
    kind: str
    amount_minor: int


def bring_main_account() -> None:
    """Have the query for a caller bring the main account along, which nearly all go on to use."""
    bring_along(
        BROUGHT,
        _accounts,
        f"LEFT JOIN wallets_tradingaccount ON owner_id = accounts_user.id AND {_IS_MAIN}",
    )


def main_account(*, viewer: User | None) -> TradingAccount:
    """Return the viewer's main account."""
    return account_for(viewer=viewer)


def account_for(*, viewer: User | None, public_id: object = None) -> TradingAccount:
    """Return the viewer's account of this public id, or the main one where none is named."""
    account = None
    if viewer is not None and viewer.pk is not None:
        if public_id is None or public_id == "":
            account = viewer.brought.get(BROUGHT) or _accounts.first(_MAIN, [viewer.pk])
        elif (wanted := _uuid(public_id)) is not None:
            account = _accounts.first(_OWNED, [viewer.pk, wanted])
    if account is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    return account


def accounts_of(*, viewer: User | None) -> list[TradingAccount]:
    """Return the viewer's accounts, the main one first."""
    return list(TradingAccount.objects.filter(owner=_person(viewer)).order_by("id"))


def balances(*, viewer: User | None, account: TradingAccount) -> list[Balance]:
    """Return what the account has of each asset it has ever had, in the order of the assets."""
    return list(
        Balance.objects.filter(account=account, account__owner=_person(viewer))
        .select_related("asset")
        .order_by("asset_id")
    )


def house_balances() -> list[Balance]:
    """Return what the house's own accounts have; for the house's processes, never for a viewer."""
    return list(Balance.objects.filter(account__kind=TradingAccount.Kind.HOUSE))


def ledger_page(
    *,
    viewer: User | None,
    account: TradingAccount,
    asset: str | None = None,
    before: str | int | None = None,
    limit: int = 50,
) -> Page[LedgerEntry]:
    """Return movements of value on the account, newest first, of one asset where one is named."""
    check_limit(limit)
    entries = LedgerEntry.objects.filter(
        account=account, account__owner=_person(viewer), id__lt=parse_cursor(before)
    ).select_related("asset")
    if asset is not None:
        entries = entries.filter(asset__code=asset.upper())
    return page_of(entries.order_by("-id")[: limit + 1], limit)


def all_entries(*, viewer: User | None) -> Iterator[LedgerEntry]:
    """Yield every movement on the viewer's main account, oldest first, however many there are."""
    entries = LedgerEntry.objects.filter(account=main_account(viewer=viewer))
    return entries.select_related("asset").order_by("id").iterator(chunk_size=ROWS_FETCHED)


def flows(
    *, viewer: User | None, account: TradingAccount, since: datetime, step: timedelta
) -> list[FlowRow]:
    """Return what the account's balances changed by since a moment, summed by step and kind.

    Fees are a kind of their own here, apart from the trades they were paid in.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT step.begins, step.asset_id, part.kind, sum(part.amount_minor)::bigint
            FROM (
                SELECT date_bin(make_interval(secs => %s), at, %s) AS begins, asset_id, kind,
                    sum(amount_minor) AS amount_minor, sum(fee_minor) AS fee_minor
                FROM wallets_ledgerentry
                WHERE account_id = %s AND at >= %s AND EXISTS (
                    SELECT FROM wallets_tradingaccount WHERE id = %s AND owner_id = %s)
                GROUP BY 1, asset_id, kind
            ) AS step
            CROSS JOIN LATERAL (
                VALUES (step.kind, step.amount_minor + step.fee_minor), ('fee', -step.fee_minor)
            ) AS part (kind, amount_minor)
            WHERE part.amount_minor <> 0
            GROUP BY step.begins, step.asset_id, part.kind ORDER BY step.begins
            """,
            [
                step // timedelta(seconds=1),
                since,
                account.id,
                since,
                account.id,
                _person(viewer).pk,
            ],
        )
        return [FlowRow(*row) for row in cursor.fetchall()]


def _person(viewer: User | None) -> User:
    # House accounts have no owner, so a viewer of None must never become a filter.
    if viewer is None or viewer.pk is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    return viewer


def _uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
