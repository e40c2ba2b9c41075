"""A notice as it leaves. Its words are made when it is read: mended ones reach old notices too."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

from apps.core import clock
from apps.notifications.kinds import KINDS, Kind
from apps.notifications.models import Notice


def notice_json(notice: Notice) -> dict[str, Any]:
    """Return a notice for the API and the socket."""
    kind = KINDS.get(notice.kind)
    return {
        "id": str(notice.pk),
        "kind": notice.kind,
        "category": notice.category,
        "title": kind.title if kind else notice.kind,
        "text": kind.text(notice.data) if kind else "",
        "url": address_of(kind),
        "created_at": clock.iso(notice.created_at),
        "read_at": clock.iso(notice.read_at) if notice.read_at else None,
    }


def address_of(kind: Kind | None) -> str | None:
    """Return the page where a reader of such a notice goes on, where this installation has it."""
    if kind is None or not kind.page:
        return None
    try:
        return reverse(kind.page)
    except NoReverseMatch:
        return None
