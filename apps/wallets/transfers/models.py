"""Value that people send to each other inside the venue, or move between their own accounts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class InternalTransfer(models.Model):
    """Written before the engine moves anything, so that what became of it can be found out."""

    class State(models.TextChoices):
        NEW = "new"
        DONE = "done"
        REFUSED = "refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    from_account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    to_account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    amount_minor = models.BigIntegerField()
    effect_id = models.CharField(max_length=64, null=True, unique=True)
    written_to = models.CharField(
        max_length=254, blank=True, default="", help_text="Whom the sender named, as he wrote it."
    )
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    reason = models.CharField(max_length=40, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="transfer_positive"),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="transfer_new", condition=Q(state="new")),
        ]

    def __str__(self) -> str:
        return f"Transfer {self.pk}"
