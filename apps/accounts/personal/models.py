"""Copies of everything held about a person, as they asked for them."""

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
