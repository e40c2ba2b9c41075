"""The journal and what keeps it: lease, snapshots and the projector's place.

The journal is the truth; these models are for reading it and for migrations. Rows are written
only by ``lease.Lease`` and ``inprocess``; nothing here has logic.
"""

from __future__ import annotations

from django.db import models


class JournalRow(models.Model):
    """One committed batch of commands and the events they caused, chained by hash."""

    pk = models.CompositePrimaryKey("shard", "last_seq")
    shard = models.SmallIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    epoch = models.BigIntegerField(help_text="Which writer wrote it; only grows.")
    at_ns = models.BigIntegerField(help_text="Time of the last command in the row.")
    stream_generation = models.BigIntegerField()
    last_entry_id = models.CharField(max_length=41, help_text="Last stream entry consumed.")
    rules_version = models.IntegerField()
    commands = models.BinaryField()
    events = models.BinaryField()
    prev_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        db_table = "matching_journal"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(first_seq__gte=1, last_seq__gte=models.F("first_seq")),
                name="matching_journal_seq_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shard}:{self.first_seq}-{self.last_seq}"


class Lease(models.Model):
    """Who may write a shard's journal. ``epoch`` fences off every writer before the present one."""

    shard = models.SmallIntegerField(primary_key=True)
    epoch = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=120, blank=True)
    backend_pid = models.IntegerField(default=0)
    renewed_at = models.DateTimeField()

    class Meta:
        db_table = "matching_lease"

    def __str__(self) -> str:
        return f"shard {self.shard}, epoch {self.epoch}"


class Snapshot(models.Model):
    """The engine's state after ``seq``, so that recovery need not replay from the beginning."""

    id = models.BigAutoField(primary_key=True)
    shard = models.SmallIntegerField()
    seq = models.BigIntegerField()
    at_ns = models.BigIntegerField()
    rules_version = models.IntegerField()
    state = models.BinaryField()
    state_sha256 = models.CharField(max_length=64, help_text="Of the bytes in ``state``.")
    state_hash = models.CharField(max_length=64, help_text="The engine's own hash of its state.")
    journal_hash = models.BinaryField(help_text="Hash of the journal row that ends at ``seq``.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "matching_snapshot"
        constraints = [
            models.UniqueConstraint(fields=["shard", "seq"], name="matching_snapshot_shard_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.shard}:{self.seq}"


class ProjectionOffset(models.Model):
    """Up to which command the projections of a shard have been written."""

    shard = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    at_ns = models.BigIntegerField(default=0)
    versions = models.JSONField(db_default={}, help_text="Version of each projection, by its name.")

    class Meta:
        db_table = "matching_projection_offset"

    def __str__(self) -> str:
        return f"{self.shard}:{self.seq}"
