"""Trading accounts, their balances and the ledger. Balances and entries are projections."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class TradingAccount(models.Model):
    """A place where value is held. Ids below 1000 are the house's; its engine id is its id."""

    class Kind(models.TextChoices):
        MAIN = "main"
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

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class Balance(models.Model):
    """What an account has of an asset, as of ``seq``."""

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="balances")
    asset = models.ForeignKey("markets.Asset", on_delete=models.PROTECT, related_name="+")
    available_minor = models.BigIntegerField()
    held_minor = models.BigIntegerField()
    seq = models.BigIntegerField()


class LedgerEntry(models.Model):
    """One leg of a movement of value; the legs of one ``(seq, event_index)`` sum to zero."""

    class Kind(models.TextChoices):
        DEPOSIT = "deposit"
        WITHDRAWAL = "withdrawal"
        TRANSFER = "transfer"
        TRADE = "trade"
        FEE = "fee"

    id = models.BigIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    event_index = models.IntegerField()
    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="+")
    asset = models.ForeignKey("markets.Asset", on_delete=models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    reference = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
