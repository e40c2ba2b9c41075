"""Rows that belong to no business: the answers that were given to idempotent requests."""

from __future__ import annotations

from django.db import models


class IdempotentAnswer(models.Model):
    """One key of one person. Without ``status`` it is being worked on since ``started_at``."""

    person_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32, help_text="SHA-256 of what was asked.")
    started_at = models.DateTimeField(help_text="A start long past may be taken over.")
    status = models.SmallIntegerField(null=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person_id", "key"], name="idempotent_answer_unique")
        ]
        indexes = [models.Index(fields=["started_at"], name="idempotent_answer_started")]

    def __str__(self) -> str:
        return f"{self.key} of person {self.person_id}"
