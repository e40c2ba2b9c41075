"""Corrections of a balance that staff ask for and others of them approve."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Adjustment(models.Model):
    """Written when it is asked for. The engine moves the value, once, after somebody else agreed.

    What it says of money never changes, and no row is ever removed: the database refuses both.
    """

    class Category(models.TextChoices):
        GOODWILL = "goodwill"
        FEE_REFUND = "fee_refund"
        MISSED_DEPOSIT = "missed_deposit"
        REVERSED_DEPOSIT = "reversed_deposit"
        WRONG_CREDIT = "wrong_credit"

    class State(models.TextChoices):
        REQUESTED = "requested", "Waiting for somebody to agree"
        APPROVED = "approved", "Agreed to, being carried out"
        DONE = "done", "Done"
        FAILED = "failed", "Not possible: nothing moved"
        REFUSED = "refused", "Refused"
        EXPIRED = "expired", "Too old: nobody decided"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    category = models.CharField(max_length=20, choices=Category)
    amount_minor = models.BigIntegerField(help_text="Always more than zero: the category says who.")
    reason = models.CharField(max_length=200, help_text="For staff; its owner never reads it.")
    case = models.CharField(max_length=64, help_text="The ticket, transaction or trade behind it.")
    effect_id = models.CharField(max_length=64, null=True, unique=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=200, blank=True, help_text="Why, by who decided.")
    sent_at = models.DateTimeField(
        null=True, help_text="Written before the engine is told: from then on it may have moved."
    )
    ended_at = models.DateTimeField(null=True)
    seq = models.BigIntegerField(null=True, help_text="The command that moved the value.")
    problem = models.CharField(max_length=40, blank=True, help_text="Why the engine refused.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "correction"
        verbose_name_plural = "corrections of balances"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="adjustment_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "done", "failed"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("requested_by"))),
                name="adjustment_two_are_two",
            ),
            models.CheckConstraint(
                condition=Q(state="done", seq__isnull=False) | (~Q(state="done") & Q(seq=None)),
                name="adjustment_done_by_a_command",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "id"], name="adjustment_open",
                condition=Q(state__in=["requested", "approved"]),
            ),
            models.Index(fields=["account", "-id"], name="adjustment_of_account"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"Adjustment {self.pk}"
