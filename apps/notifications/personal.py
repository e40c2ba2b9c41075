"""What this app holds about a person, as their copy of it has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from apps.accounts.models import User
from apps.accounts.personal.parts import register_part
from apps.notifications.presentation import notice_json
from apps.notifications.queries import notices_of

ROWS_FETCHED = 1000


def register() -> None:
    """Name the part that this app has."""
    register_part(
        "notices", _notices, about="what we told you",
        columns=("created_at", "category", "title", "text", "read_at"),
    )  # fmt: skip


def _notices(person: User) -> Iterator[Mapping[str, object]]:
    rows = notices_of(viewer=person).order_by("id")
    return map(notice_json, rows.iterator(chunk_size=ROWS_FETCHED))
