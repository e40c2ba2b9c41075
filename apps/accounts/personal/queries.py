"""Reads of copies of data and of deletions, each scoped to who looks."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from apps.accounts.models import User
from apps.accounts.personal.models import DataExport, Deletion
from apps.core.errors import NotFound

EXPORT_PAUSE: Final = timedelta(hours=24)
EXPORTS_SHOWN: Final = 10


def exports_of(*, viewer: User) -> list[DataExport]:
    """Return the viewer's latest copies, newest first."""
    rows = DataExport.objects.filter(person=viewer).order_by("-asked_at", "-id")
    return list(rows[:EXPORTS_SHOWN])


def export_of(*, viewer: User, export_id: uuid.UUID) -> DataExport:
    """Return one of the viewer's copies."""
    found = DataExport.objects.filter(person=viewer, pk=export_id).first()
    if found is None:
        raise NotFound("export_not_found", "There is no such copy of your data, or no longer.")
    return found


def next_export_at(*, viewer: User, now: datetime) -> datetime:
    """Return from when on the viewer can ask for a copy; one that failed does not count."""
    counted = DataExport.objects.filter(person=viewer).exclude(state=DataExport.State.FAILED)
    newest = counted.order_by("-asked_at").values_list("asked_at", flat=True).first()
    return now if newest is None else max(now, newest + EXPORT_PAUSE)


def deletion_of(*, viewer: User) -> Deletion | None:
    """Return the viewer's wish to be deleted, as long as it is neither done nor taken back."""
    return Deletion.objects.filter(person=viewer, taken_back_at=None, done_at=None).first()
