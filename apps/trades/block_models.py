"""Blocks that apps above have asked for, and what the engine said of them since.

``Block`` is written by the action that sends a block; ``BlockEvent`` is a projection. Of a leg the
order in ``trades_order`` says how it stands.
"""

from __future__ import annotations

from django.db import models


class Block(models.Model):
    """What was asked for, by which app. ``id`` is the engine's block id, used once for ever."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, help_text="Which app owns it: see trades.routing.")
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+",
        help_text="The leader's.",
    )  # fmt: skip
    # A rebuild of the projections empties the markets, too, and writes them again.
    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    client_order_id = models.CharField(max_length=64, help_text="The leader's, of his leg.")
    digest = models.CharField(max_length=64, help_text="Tells a repeat from another block.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "client_order_id"], name="block_client_id"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class BlockEvent(models.Model):
    """One thing that happened to a block. ``id`` grows with what happened."""

    class What(models.TextChoices):
        JOINED = "joined"
        LEFT_OUT = "left_out"
        ALLOTTED = "allotted"
        LEFT = "left"
        ENDED = "ended"
        CLOSED = "closed"

    id = models.BigIntegerField(primary_key=True, help_text="Seq x 2^16, plus a number.")
    block_id = models.BigIntegerField(db_index=True)
    what = models.CharField(max_length=12, choices=What)
    reason = models.CharField(max_length=40, blank=True)
    legs = models.JSONField(help_text="A list for each leg that it is about, its account first.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.block_id} {self.what}"


class BlockListener(models.Model):
    """Up to which event the app that owns blocks of a kind has been told."""

    kind = models.CharField(primary_key=True, max_length=20)
    last_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.kind
