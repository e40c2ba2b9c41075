"""What this app holds about a person, as their copy of it has it, and what goes with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from apps.accounts.models import User
from apps.accounts.personal.obstacles import register_forgetter
from apps.accounts.personal.parts import register_part
from apps.notifications.models import Notice, NoticeBox
from apps.notifications.presentation import notice_json
from apps.notifications.queries import notices_of

ROWS_FETCHED = 1000


def register() -> None:
    """Name the part that this app has, and what it forgets."""
    register_part(
        "notices", _notices, about="what we told you",
        columns=("created_at", "category", "title", "text", "read_at"),
    )  # fmt: skip
    register_forgetter("notifications", _forget)


def _notices(person: User) -> Iterator[Mapping[str, object]]:
    rows = notices_of(viewer=person).order_by("id")
    return map(notice_json, rows.iterator(chunk_size=ROWS_FETCHED))


def _forget(person: User, now: datetime) -> None:
    Notice.objects.filter(person=person).delete()
    NoticeBox.objects.filter(person=person).delete()
