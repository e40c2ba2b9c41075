"""Reads of transfers, each scoped to who looks: what one sent, received, or moved."""

from __future__ import annotations

from django.db.models import Q

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.wallets.transfers.models import InternalTransfer


def transfers_page(
    *, viewer: User | None, before: str | int | None = None, limit: int = 50
) -> Page[InternalTransfer]:
    """Return the transfers that took place from or to the viewer, newest first."""
    if viewer is None or viewer.pk is None:
        raise NotFound("unknown_account", "You have no such trading account.")
    check_limit(limit)
    rows = InternalTransfer.objects.filter(
        Q(sender=viewer) | Q(receiver=viewer),
        state=InternalTransfer.State.DONE, id__lt=parse_cursor(before),
    )  # fmt: skip
    rows = rows.select_related("asset", "sender", "from_account", "to_account").order_by("-id")
    return page_of(rows[: limit + 1], limit)
