"""Reads of deposits, each scoped to who looks."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.wallets.deposits.models import ChainDeposit


def deposits_page(
    *, viewer: User | None, before: str | int | None = None, limit: int = 50
) -> Page[ChainDeposit]:
    """Return what has come to the viewer's accounts from the chains, newest first."""
    if viewer is None or viewer.pk is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    check_limit(limit)
    rows = ChainDeposit.objects.filter(account__owner=viewer, id__lt=parse_cursor(before))
    return page_of(rows.select_related("asset").order_by("-id")[: limit + 1], limit)
