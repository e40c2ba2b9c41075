"""Lists that are read page by page: a cursor is the id of the last row seen, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db.models import Model

from apps.core.errors import Invalid

LIMIT_MAX: Final = 500
_CURSOR_MAX: Final = 2**63 - 1


Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``next`` is the cursor of the following page, or None where this one is the last."""

    items: list[Row]
    next: str | None


def page_of(rows: Iterable[Row], limit: int) -> Page[Row]:
    """Build a page from up to ``limit + 1`` rows; the one too many tells that more follow."""
    items = list(rows)
    more = len(items) > limit
    items = items[:limit]
    return Page(items, str(items[-1].pk) if more else None)


def parse_cursor(before: str | int | None) -> int:
    """Return the id below which rows are wanted; None and the empty text mean from the newest."""
    if before is None or before == "":
        return _CURSOR_MAX
    text = str(before)
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise Invalid("invalid_cursor", "This cursor did not come from a page of this list.")
    return min(int(text), _CURSOR_MAX)


def check_limit(limit: int) -> int:
    """Return the limit; refuse one that is not between 1 and LIMIT_MAX."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Invalid("invalid_limit", f"A page has between 1 and {LIMIT_MAX} rows.")
    return limit
