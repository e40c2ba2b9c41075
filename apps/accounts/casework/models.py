"""Notes of staff about people. They are added, never changed and never taken back."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

NOTE_LENGTH_MAX = 1000


class StaffNote(models.Model):
    """One note. The person it is about never sees it, unless they ask for their data."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="staff_notes"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="written_staff_notes"
    )
    text = models.CharField(max_length=NOTE_LENGTH_MAX)
    written_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["person", "-id"], name="staff_note_of_person")]

    def __str__(self) -> str:
        return f"Note {self.pk} about {self.person_id}"
