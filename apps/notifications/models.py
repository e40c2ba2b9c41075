"""What people are told, and how far each person's notices have come."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class NoticeBox(models.Model):
    """One per person who ever got a notice. Whoever changes a notice holds this row.

    ``seq`` counts the changes, so that live readers see a gap; ``unread`` is what the bell shows.
    """

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notice_box",
    )
    seq = models.BigIntegerField(default=0)
    unread = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(unread__gte=0), name="noticebox_unread")
        ]

    def __str__(self) -> str:
        return f"Notices of {self.person_id}"


class Notice(models.Model):
    """One thing that one person was told. ``data`` fills the words of its kind."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    kind = models.CharField(max_length=40)
    category = models.CharField(max_length=12)
    data = models.JSONField()
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["person", "-id"], name="notice_of_person"),
            models.Index(
                fields=["person", "-id"],
                condition=models.Q(read_at=None),
                name="notice_unread",
            ),
            models.Index(
                fields=["read_at"],
                condition=models.Q(read_at__isnull=False),
                name="notice_read",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.person_id}"
