"""Reads of trading accounts, balances and the ledger, each scoped to who looks.

An account of somebody else and an account that does not exist look the same.
"""

from __future__ import annotations

import uuid

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.wallets.models import Balance, LedgerEntry, TradingAccount


def main_account(*, viewer: User | None) -> TradingAccount:
    """Return the viewer's main account."""
    return account_for(viewer=viewer)


def account_for(*, viewer: User | None, public_id: object = None) -> TradingAccount:
    """Return the viewer's account of this public id, or the main one where none is named."""
    accounts = TradingAccount.objects.select_related("owner")
    account = None
    if viewer is not None and viewer.pk is not None:
        if public_id is None or public_id == "":
            account = accounts.filter(owner=viewer, kind=TradingAccount.Kind.MAIN).first()
        elif (wanted := _uuid(public_id)) is not None:
            account = accounts.filter(owner=viewer, public_id=wanted).first()
    if account is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    return account


def balances(*, viewer: User | None, account: TradingAccount) -> list[Balance]:
    """Return what the account has of each asset it has ever had, in the order of the assets."""
    return list(
        Balance.objects.filter(account=account, account__owner=_person(viewer))
        .select_related("asset")
        .order_by("asset_id")
    )


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


def _person(viewer: User | None) -> User | None:
    # No account of a person has an empty owner, and people's rows alone are asked for here, so
    # nobody sees nothing: a house account is never reached by a viewer of None.
    if viewer is None or viewer.pk is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    return viewer


def _uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
