"""Rows that belong to no business: answers to idempotent requests, events on their way up."""

from __future__ import annotations

import pgtrigger
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


class OutboxEvent(models.Model):
    """Something that happened, written in the transaction in which it did; see ``core.outbox``."""

    topic = models.CharField(max_length=40)
    key = models.CharField(max_length=200, help_text="The same key again is the same event.")
    data = models.JSONField()
    emitted_at = models.DateTimeField()
    handed_out_at = models.DateTimeField(
        null=True, help_text="When each subscriber got a delivery of its own."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["topic", "key"], name="outbox_event_unique")]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(handed_out_at=None),
                name="outbox_event_not_handed_out",
            ),
            models.Index(fields=["emitted_at"], name="outbox_event_emitted"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class OutboxDelivery(models.Model):
    """One event for one subscriber. Without ``done_at`` it waits for ``next_try_at``."""

    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    name = models.CharField(max_length=60, help_text="The subscriber.")
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True, help_text="Why the last try failed.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "name"], name="outbox_delivery_unique")
        ]
        indexes = [
            models.Index(
                fields=["next_try_at", "id"],
                condition=models.Q(done_at=None),
                name="outbox_delivery_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: event {self.event_id}"


class AuditedRow(models.Model):
    """A row of the audit trail, of a table whose key has several columns: see ``core.audit``."""

    table_name = models.CharField(max_length=63)
    label = models.CharField(max_length=6)
    at = models.DateTimeField(db_index=True)
    row = models.JSONField()
    pgh_context = models.ForeignKey(
        "pghistory.Context", null=True, on_delete=models.DO_NOTHING, related_name="+",
        db_constraint=False,
    )  # fmt: skip

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.label} in {self.table_name}"
