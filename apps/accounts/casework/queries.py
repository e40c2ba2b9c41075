"""Reads of notes about people, for staff."""

from __future__ import annotations

from apps.accounts.casework.models import StaffNote
from apps.accounts.models import User

NOTES_SHOWN = 50


def notes_about(*, person: User) -> list[StaffNote]:
    """Return the newest notes first."""
    rows = StaffNote.objects.filter(person=person).select_related("author")
    return list(rows.order_by("-id")[:NOTES_SHOWN])
