"""Copies of everything held about a person, and their wish to be deleted."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.core.sealed import SealedField


class DataExport(models.Model):
    """One copy. The file is sealed with a key of its own that only this row has."""

    class State(models.TextChoices):
        WAITING = "waiting", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        GONE = "gone", "Gone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="data_exports"
    )
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    asked_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True, help_text="From then on it is gone.")
    file = models.CharField(max_length=100, blank=True, help_text="Its name in the storage.")
    key = SealedField(null=True, editable=False)
    size_bytes = models.BigIntegerField(default=0, help_text="Of the file as it is downloaded.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(state="waiting"),
                name="data_export_one_waits",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state="ready", key__isnull=False, ready_at__isnull=False, ends_at__isnull=False
                )
                | (~models.Q(state="ready") & models.Q(key=None)),
                name="data_export_ready_has_a_file",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["person", "-asked_at"], name="data_export_of_person"),
            models.Index(
                fields=["asked_at"],
                condition=models.Q(state="waiting"),
                name="data_export_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"Copy of the data of {self.person_id}"


class Deletion(models.Model):
    """One wish of a person to be deleted, and what became of it. It stays when they are gone.

    First the account is closed, so that nothing moves any more; a pass later, when all that had
    been under way is known, what there is of the person goes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="deletions"
    )
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="Until then it can be taken back.")
    taken_back_at = models.DateTimeField(null=True)
    held_up_by = models.CharField(max_length=40, blank=True, help_text="What keeps it from ending.")
    closed_at = models.DateTimeField(null=True, help_text="Since when nobody gets in.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(taken_back_at=None, done_at=None),
                name="deletion_one_is_open",
            ),
            models.CheckConstraint(
                condition=models.Q(done_at=None)
                | models.Q(taken_back_at=None, closed_at__isnull=False),
                name="deletion_done_was_closed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(taken_back_at=None, done_at=None),
                name="deletion_due",
            )
        ]

    def __str__(self) -> str:
        return f"Deletion of {self.person_id}"
