"""What the venue has published of what it owes, and what it takes to prove it to each person."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class LiabilityTree(models.Model):
    """One asset at one moment: the root and the total that everybody sees."""

    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    root = models.CharField(max_length=64)
    total_minor = models.DecimalField(max_digits=30, decimal_places=0)
    leaves = models.IntegerField()
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["asset", "made_at"], name="liability_tree_once")
        ]

    def __str__(self) -> str:
        return f"Tree {self.pk}"


class LiabilityLeaf(models.Model):
    """One account in a tree; its place there is ``number``."""

    tree = models.ForeignKey(LiabilityTree, on_delete=models.CASCADE, related_name="leaf_rows")
    number = models.IntegerField()
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=32)
    salt = models.CharField(max_length=32)
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tree", "number"], name="liability_leaf_place"),
            models.UniqueConstraint(fields=["tree", "account"], name="liability_leaf_once"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0), name="liability_leaf_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"Leaf {self.number} of {self.tree_id}"


class Reconciliation(models.Model):
    """One comparison of the chains with the ledger. A difference is an alarm."""

    made_at = models.DateTimeField()
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    chain_in_minor = models.DecimalField(max_digits=30, decimal_places=0)
    credited_minor = models.DecimalField(max_digits=30, decimal_places=0)
    chain_out_minor = models.DecimalField(max_digits=30, decimal_places=0)
    settled_minor = models.DecimalField(max_digits=30, decimal_places=0)
    by_hand_minor = models.DecimalField(
        max_digits=30,
        decimal_places=0,
        help_text="Without a chain: play money, adjustments.",
    )
    owed_minor = models.DecimalField(max_digits=30, decimal_places=0)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Reconciliation {self.pk}"
