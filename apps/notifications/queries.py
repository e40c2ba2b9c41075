"""Reads of notices. Each asks for its viewer, and finds nothing of anybody else's."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.notifications.models import Notice, NoticeBox


def notices_of(*, viewer: User) -> QuerySet[Notice]:
    """Return all notices of the viewer, newest first."""
    return Notice.objects.filter(person=viewer).order_by("-id")


def notices_page(
    *,
    viewer: User,
    limit: int,
    before: str | None = None,
    unread: bool = False,
    category: str | None = None,
) -> Page[Notice]:
    """Return one page of the viewer's notices, newest first."""
    rows = notices_of(viewer=viewer).filter(id__lt=parse_cursor(before))
    if unread:
        rows = rows.filter(read_at=None)
    if category:
        rows = rows.filter(category=category)
    limit = check_limit(limit)
    return page_of(rows[: limit + 1], limit)


def notice_by_id(*, viewer: User, notice_id: str | int) -> Notice:
    """Return one notice of the viewer's; another's is as good as none."""
    text = str(notice_id)
    found = None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        found = notices_of(viewer=viewer).filter(pk=int(text)).first()
    if found is None:
        raise NotFound("notice_not_found", "You have no such notice.")
    return found


def box_of(*, viewer: User) -> NoticeBox:
    """Return how far the viewer's notices have come; who never got one has an empty box."""
    return NoticeBox.objects.filter(person=viewer).first() or NoticeBox(person=viewer)


def unread_count(*, viewer: User) -> int:
    """Return how many notices the viewer has not read."""
    return box_of(viewer=viewer).unread
