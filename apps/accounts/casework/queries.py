"""Reads of what staff have noted about people, and of whose account they have frozen."""

from __future__ import annotations

from apps.accounts.casework.models import StaffFreeze, StaffNote
from apps.accounts.models import User

NOTES_SHOWN = 50


def notes_about(*, person: User) -> list[StaffNote]:
    """Return the newest notes first."""
    rows = StaffNote.objects.filter(person=person).select_related("author")
    return list(rows.order_by("-id")[:NOTES_SHOWN])


def freezes_of(*, person: User) -> list[StaffFreeze]:
    """Return the times that staff froze the account, the newest first."""
    rows = StaffFreeze.objects.filter(person=person).select_related("frozen_by", "lifted_by")
    return list(rows.order_by("-id")[:NOTES_SHOWN])


def is_frozen_by_staff(*, person_id: int) -> bool:
    return StaffFreeze.objects.filter(person_id=person_id, lifted_at=None).exists()
