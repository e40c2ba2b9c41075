"""Orders and fills as their owners see them: projections of the engine's events."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """``id`` is the engine's order id. Partitioned by time of entry."""

    class Status(models.TextChoices):
        OPEN = "open"
        PARTIALLY_FILLED = "partially_filled"
        FILLED = "filled"
        CANCELLED = "cancelled"
        REJECTED = "rejected"
        EXPIRED = "expired"

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey("wallets.TradingAccount", on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    client_order_id = models.CharField(max_length=64)
    side = models.SmallIntegerField()
    order_type = models.SmallIntegerField()
    time_in_force = models.SmallIntegerField()
    post_only = models.BooleanField()
    self_trade = models.SmallIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField(help_text="Budget of a market order by quote amount.")
    price_ticks = models.BigIntegerField()
    stop_ticks = models.BigIntegerField()
    expires_at = models.DateTimeField(null=True)
    filled_lots = models.BigIntegerField()
    filled_quote_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    held_minor = models.BigIntegerField()
    triggered = models.BooleanField()
    status = models.CharField(max_length=16, choices=Status)
    reason = models.CharField(max_length=40, blank=True)
    seq = models.BigIntegerField(help_text="Command that entered it.")
    last_seq = models.BigIntegerField(help_text="Command that last changed it.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


class Fill(models.Model):
    """One side of a trade, for the owner of that side. Partitioned by time."""

    id = models.BigIntegerField(primary_key=True, help_text="Trade id x 2, plus 1 for the taker.")
    trade_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    account = models.ForeignKey("wallets.TradingAccount", on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    side = models.SmallIntegerField()
    is_maker = models.BooleanField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
