"""The simulated chains: blocks, transactions and their outputs, and what the house has on them.

They stand for a world outside: nothing of the ledger refers to them, and only the simulated
custody reads or writes them.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class ChainAddress(models.Model):
    """An address of ours, and for whom it was made."""

    chain = models.CharField(max_length=20)
    owner = models.CharField(max_length=64)
    address = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "owner"], name="chain_address_one_per_owner"),
            models.UniqueConstraint(fields=["chain", "address"], name="chain_address_unique"),
        ]

    def __str__(self) -> str:
        return self.address


class ChainBlock(models.Model):
    """A block. One that a reorganisation has left behind is no longer ``is_best``."""

    chain = models.CharField(max_length=20)
    height = models.IntegerField()
    hash = models.CharField(max_length=64)
    parent_hash = models.CharField(max_length=64)
    is_best = models.BooleanField(default=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "hash"], name="chain_block_hash_unique"),
            models.UniqueConstraint(
                fields=["chain", "height"], condition=Q(is_best=True),
                name="chain_block_one_best_per_height",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.chain} {self.height}"


class ChainTransaction(models.Model):
    """Without a block it waits for one. ``own_id`` is there for what the house has sent."""

    class Fate(models.TextChoices):
        GOES = "goes"
        WILL_FAIL = "will_fail", "Will fail in the next block"
        FAILED = "failed"
        DROPPED = "dropped", "Lost in a reorganisation"

    chain = models.CharField(max_length=20)
    txid = models.CharField(max_length=64)
    own_id = models.CharField(max_length=64, null=True, unique=True)
    block = models.ForeignKey(
        ChainBlock, null=True, on_delete=models.PROTECT, related_name="transactions"
    )
    fate = models.CharField(max_length=10, choices=Fate, default=Fate.GOES)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "txid"], name="chain_transaction_unique"),
        ]
        indexes = [
            models.Index(
                fields=["chain", "id"], condition=Q(block=None), name="chain_transaction_waiting"
            )
        ]

    def __str__(self) -> str:
        return self.txid


class ChainOutput(models.Model):
    """An amount that a transaction pays to an address."""

    transaction = models.ForeignKey(
        ChainTransaction, on_delete=models.PROTECT, related_name="outputs"
    )
    index = models.IntegerField()
    address = models.CharField(max_length=100, db_index=True)
    asset = models.CharField(max_length=12)
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "index"], name="chain_output_unique"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="chain_output_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction}:{self.index}"


class ChainVault(models.Model):
    """What the house has put into its hot wallet, beside what has come in."""

    chain = models.CharField(max_length=20)
    asset = models.CharField(max_length=12)
    added_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "asset"], name="chain_vault_unique"),
            models.CheckConstraint(condition=Q(added_minor__gte=0), name="chain_vault_positive"),
        ]

    def __str__(self) -> str:
        return f"Hot wallet, {self.asset}"
