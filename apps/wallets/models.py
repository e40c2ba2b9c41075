"""Trading accounts, their balances and the ledger.

An account is made by an action. Balances and ledger entries are projections of the engine's
events: nothing but the projector writes them. Their foreign keys are not checked by the database,
because the engine has decided already and a check per row costs more than the row.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from apps.engine.messages import EXTERNAL_ACCOUNT_ID
from apps.wallets.adjustments.models import (  # noqa: F401  # Django looks for models here.
    Adjustment,
)
from apps.wallets.custody.models import (  # noqa: F401  # Django looks for models here.
    ChainAddress,
    ChainBlock,
    ChainOutput,
    ChainTransaction,
    ChainVault,
)
from apps.wallets.deposits.models import (  # noqa: F401  # Django looks for models here.
    ChainCursor,
    ChainDeposit,
    DepositAddress,
)
from apps.wallets.liabilities.models import (  # noqa: F401  # Django looks for models here.
    LiabilityLeaf,
    LiabilityTree,
    Reconciliation,
)
from apps.wallets.transfers.models import (  # noqa: F401  # Django looks for models here.
    InternalTransfer,
)
from apps.wallets.withdrawals.models import (  # noqa: F401  # Django looks for models here.
    Withdrawal,
    WithdrawalAddress,
    WithdrawalApproval,
    WithdrawalLimit,
    WithdrawalPolicy,
    WithdrawalStep,
)


class TradingAccount(models.Model):
    """A place where value is held. Ids below 1000 are the house's; its engine id is its id.

    Those below zero are escrow accounts of blocks: they live as long as their block, and only
    in balances and ledger.
    """

    class Kind(models.TextChoices):
        MAIN = "main"
        SUB = "sub"
        HOUSE = "house"
        EXTERNAL = "external"

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT,
        related_name="trading_accounts",
    )  # fmt: skip
    kind = models.CharField(max_length=12, choices=Kind)
    name = models.CharField(max_length=60)
    trade_group = models.BigIntegerField(help_text="Accounts of one group never trade together.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(kind="main"), name="account_one_main_per_owner"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["main", "sub"], owner__isnull=False)
                | Q(kind__in=["house", "external"], owner__isnull=True),
                name="account_owner_by_kind",
            ),
            models.UniqueConstraint(fields=["owner", "name"], name="account_name_per_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class Balance(models.Model):
    """What an account has of an asset, as of ``seq``, the command that last changed it."""

    pk = models.CompositePrimaryKey("account_id", "asset_id")
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="balances",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    available_minor = models.BigIntegerField()
    held_minor = models.BigIntegerField()
    seq = models.BigIntegerField()

    class Meta:
        ordering = ["account_id", "asset_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(available_minor__gte=0) | Q(account_id=EXTERNAL_ACCOUNT_ID),
                name="balance_available_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(held_minor__gte=0), name="balance_held_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.asset_id}"


class LedgerEntry(models.Model):
    """One leg of a movement of value; the legs of one ``(seq, event_index)`` sum to zero.

    Partitioned by month; its key in the database is (account, id, at).
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit"
        WITHDRAWAL = "withdrawal"
        TRANSFER = "transfer"
        TRADE = "trade"
        FEE = "fee"
        ESCROW = "escrow"
        ADJUSTMENT = "adjustment"

    id = models.BigIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    event_index = models.IntegerField()
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    amount_minor = models.BigIntegerField(help_text="By how much available plus held changed.")
    fee_minor = models.BigIntegerField(
        db_default=0, help_text="How much of it was a fee that was paid."
    )
    kind = models.CharField(max_length=12, choices=Kind)
    reference = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        indexes = [
            # By this a deposit that comes again is known, however long ago it came first.
            models.Index(
                fields=["account", "asset", "reference"], name="ledger_deposit_reference",
                condition=Q(kind="deposit"),
            ),
            # For staff who look for a command, a moment or a reference. The first is tiny: both
            # columns grow with time. Trades, which are nearly all rows, are found by their command.
            BrinIndex(fields=["id", "at"], name="ledger_recent", autosummarize=True),
            models.Index(
                fields=["reference"], name="ledger_reference",
                condition=Q(kind__in=["deposit", "withdrawal", "transfer", "adjustment"]),
            ),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                condition=Q(fee_minor__gt=0) | (Q(fee_minor=0) & ~Q(amount_minor=0)),
                name="ledger_entry_moves_something",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
