"""Reads of withdrawals, each scoped to who looks.

Without a code nothing was ever held: what was refused at once never was a withdrawal.
"""

from __future__ import annotations

from uuid import UUID

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.wallets.withdrawals.models import Withdrawal


def withdrawal_of(*, viewer: User | None, public_id: UUID | str) -> Withdrawal:
    """Return a withdrawal of the viewer."""
    found = None
    if viewer is not None and viewer.pk is not None:
        rows = Withdrawal.objects.select_related("asset", "owner").prefetch_related("steps")
        found = rows.filter(owner=viewer, public_id=public_id, code_sent_at__isnull=False).first()
    if found is None:
        raise NotFound("unknown_withdrawal", "You have no such withdrawal.")
    return found


def withdrawals_page(
    *, viewer: User | None, before: str | int | None = None, limit: int = 50
) -> Page[Withdrawal]:
    """Return the viewer's withdrawals, newest first."""
    if viewer is None or viewer.pk is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    check_limit(limit)
    rows = Withdrawal.objects.filter(
        owner=viewer, code_sent_at__isnull=False, id__lt=parse_cursor(before)
    )
    rows = rows.select_related("asset", "owner").prefetch_related("steps").order_by("-id")
    return page_of(rows[: limit + 1], limit)
