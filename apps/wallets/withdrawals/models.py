"""Where people may send coins, how much, and what becomes of each withdrawal.

A withdrawal's row is written before anything moves and says at each moment what may happen next;
``WithdrawalStep`` keeps who did what to it.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class WithdrawalAddress(models.Model):
    """An entry of a person's address book; new or changed ones rest before they can be used."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="withdrawal_addresses"
    )
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    chain = models.CharField(max_length=20)
    address = models.CharField(max_length=100)
    label = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    usable_at = models.DateTimeField()
    told_usable = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "asset", "address"], condition=Q(removed_at=None),
                name="withdrawal_address_once",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.label} ({self.address})"


class WithdrawalPolicy(models.Model):
    """Whether a person's coins can go to the address book only. Who has none has it so."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="withdrawal_policy"
    )
    book_only = models.BooleanField(default=True)
    open_from = models.DateTimeField(
        null=True, help_text="From then on other addresses are possible too."
    )

    def __str__(self) -> str:
        return f"Withdrawals of {self.person_id}"


class WithdrawalLimit(models.Model):
    """What may leave in 24 hours and in a month. Of all rules that fit, the most exact one holds.

    With an asset the amounts are of it, otherwise they are what it is worth in the value asset.
    """

    tier = models.PositiveSmallIntegerField(null=True, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    asset = models.ForeignKey(
        "markets.Asset", null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        db_constraint=False,
    )  # fmt: skip
    day_minor = models.BigIntegerField()
    month_minor = models.BigIntegerField()
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tier", "person", "asset"], name="withdrawal_limit_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(tier__isnull=False, person=None) | Q(tier=None, person__isnull=False),
                name="withdrawal_limit_tier_or_person",
            ),
            models.CheckConstraint(
                condition=Q(day_minor__gte=0, month_minor__gte=0),
                name="withdrawal_limit_not_negative",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"Limit {self.pk}"


class Withdrawal(models.Model):
    """``ends_as`` is set before the engine is told to end the hold, and the state after it has.

    So at most one of settling and releasing is ever asked for, whoever dies in between.
    """

    class State(models.TextChoices):
        NEW = "new"
        REQUESTED = "requested"
        CONFIRMED = "confirmed"
        RISK_REVIEW = "risk_review"
        HELD = "held"
        APPROVED = "approved"
        BROADCAST = "broadcast"
        SETTLED = "settled"
        FAILED = "failed"
        CANCELLED = "cancelled"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="withdrawals"
    )
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    chain = models.CharField(max_length=20)
    address = models.CharField(max_length=100)
    in_book = models.BooleanField()
    amount_minor = models.BigIntegerField()
    worth_minor = models.BigIntegerField(
        null=True, help_text="In the value asset, when it was asked for; empty: no price."
    )
    effect_id = models.CharField(max_length=64, null=True, unique=True)
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    ends_as = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    approvals_needed = models.PositiveSmallIntegerField(default=0)
    code_number = models.PositiveSmallIntegerField(default=1)
    code_tries = models.PositiveSmallIntegerField(default=0)
    code_sent_at = models.DateTimeField(null=True)
    txid = models.CharField(max_length=100, blank=True)
    confirmations = models.IntegerField(default=0)
    requested_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True)
    short_since = models.DateTimeField(
        null=True, help_text="Since when the hot wallet has had too little for it."
    )
    marked_at = models.DateTimeField(
        null=True, help_text="Written before it is sent: from then on it may have left."
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="withdrawal_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(state="broadcast", marked_at__isnull=False) | ~Q(state="broadcast"),
                name="withdrawal_marked_before_sent",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="withdrawal_of_owner"),
            models.Index(
                fields=["state", "id"], name="withdrawal_open",
                condition=~Q(state__in=["settled", "failed", "cancelled"]),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"Withdrawal {self.pk}"


class WithdrawalStep(models.Model):
    """Something that happened to a withdrawal; nobody's name means that it happened by rule."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField()
    state = models.CharField(max_length=12)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.withdrawal}: {self.state}"


class WithdrawalApproval(models.Model):
    """One member of staff's yes. Each has one, and its owner has none."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="approvals")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["withdrawal", "staff"], name="withdrawal_approved_once_by_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.staff} for {self.withdrawal}"
