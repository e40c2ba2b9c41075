"""Where people send coins to, and what has come of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class DepositAddress(models.Model):
    """The address of an account on a chain; it stays the account's for ever."""

    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="deposit_addresses"
    )
    chain = models.CharField(max_length=20)
    address = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "chain"], name="deposit_address_of_account"),
            models.UniqueConstraint(fields=["chain", "address"], name="deposit_address_unique"),
        ]

    def __str__(self) -> str:
        return self.address


class ChainDeposit(models.Model):
    """One output that pays one of our addresses: seen, then credited once when it is final.

    A reorganisation can take away what is not final yet, and bring it back.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        CREDITED = "credited"
        GONE = "gone"

    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    chain = models.CharField(max_length=20)
    txid = models.CharField(max_length=100)
    output_index = models.IntegerField()
    address = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    height = models.IntegerField(null=True)
    confirmations = models.IntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    problem = models.CharField(max_length=100, blank=True, help_text="Why it is not credited.")
    seen_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["chain", "txid", "output_index"], name="chain_deposit_once"
            ),
            models.CheckConstraint(
                condition=Q(state="credited", credited_at__isnull=False)
                | (~Q(state="credited") & Q(credited_at__isnull=True)),
                name="chain_deposit_credited_at",
            ),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="chain_deposit_of_account")]

    def __str__(self) -> str:
        return f"{self.chain} {self.txid}:{self.output_index}"


class ChainCursor(models.Model):
    """How far a chain was followed. Blocks that may yet be replaced are looked at again."""

    chain = models.CharField(max_length=20, primary_key=True)
    height = models.IntegerField()
    followed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.chain} {self.height}"
