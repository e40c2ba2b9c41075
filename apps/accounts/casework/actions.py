"""Writing notes about people."""

from __future__ import annotations

from datetime import datetime

from apps.accounts.casework.models import NOTE_LENGTH_MAX, StaffNote
from apps.accounts.models import User
from apps.core.errors import Invalid, NotAllowed


def add_note(*, actor: User, person: User, text: str, now: datetime) -> StaffNote:
    """Keep a note of a member of staff; nobody can change it afterwards."""
    if not (actor.is_staff and actor.is_active):
        raise NotAllowed("permission_denied", "Only members of staff write notes.")
    kept = text.strip().replace("\r\n", "\n")
    if not kept or len(kept) > NOTE_LENGTH_MAX or "\x00" in kept:
        raise Invalid("invalid_note", f"A note has 1 to {NOTE_LENGTH_MAX} characters.")
    return StaffNote.objects.create(person=person, author=actor, text=kept, written_at=now)
