"""Notes of staff about people, never changed or taken back; and accounts that staff have frozen."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

NOTE_LENGTH_MAX = 1000
REASON_LENGTH_MAX = 200


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


class StaffFreeze(models.Model):
    """Staff have frozen somebody's account, and until it is lifted its owner cannot open it."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="staff_freezes"
    )
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    frozen_at = models.DateTimeField()
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    was_frozen = models.BooleanField(help_text="Its owner had frozen the account before.")
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    lifted_at = models.DateTimeField(null=True)
    lift_reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(lifted_at=None),
                name="staff_freeze_one_stands",
            ),
            models.CheckConstraint(
                condition=models.Q(lifted_at=None, lifted_by=None)
                | models.Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="staff_freeze_lifted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Freeze of {self.person_id} since {self.frozen_at:%Y-%m-%d %H:%M}"
