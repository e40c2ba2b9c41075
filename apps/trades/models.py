"""Orders, fills and positions as their owners see them: projections of the engine's events.

Those of the house's own accounts are not here; the tape and the ledger have them. Foreign keys are
not checked by the database, because the engine has decided already and a check per row costs more
than the row.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from apps.trades.block_models import (  # noqa: F401  # Django looks for models here.
    Block,
    BlockEvent,
    BlockListener,
)
from apps.trades.risk.models import (  # noqa: F401  # Django looks for models here.
    Restriction,
    RiskLimits,
    RiskMark,
    RiskState,
)

OPEN_STATUSES = ("open", "partially_filled")


class Order(models.Model):
    """``id`` is the engine's order id. Partitioned by month.

    Its key in the database is (account, id, created_at).
    """

    class Status(models.TextChoices):
        OPEN = "open"
        PARTIALLY_FILLED = "partially_filled"
        FILLED = "filled"
        CANCELLED = "cancelled"
        REJECTED = "rejected"
        EXPIRED = "expired"

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
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
    # What few orders ask for; null for all others.
    display_lots = models.BigIntegerField(null=True)
    trail_ticks = models.BigIntegerField(null=True)
    trail_bps = models.IntegerField(null=True)
    take_profit_ticks = models.BigIntegerField(null=True)
    stop_loss_ticks = models.BigIntegerField(null=True)
    stop_loss_limit_ticks = models.BigIntegerField(null=True)
    pair_order_id = models.BigIntegerField(
        null=True, help_text="The other of two orders of which one fills."
    )
    parent_order_id = models.BigIntegerField(
        null=True, help_text="The purchase that this order protects."
    )
    entered_quantity_lots = models.BigIntegerField(
        null=True, help_text="What was asked for at first, where the order was amended."
    )
    entered_price_ticks = models.BigIntegerField(null=True)
    entered_stop_ticks = models.BigIntegerField(null=True)
    block_id = models.BigIntegerField(null=True, help_text="The block that it is a leg of.")
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

    class Meta:
        ordering = ["-id"]
        indexes = [
            # Tiny, and enough for staff who look for one order or for the newest: both columns
            # grow with time.
            BrinIndex(fields=["id", "created_at"], name="order_recent", autosummarize=True),
            models.Index(
                fields=["account", "id"], name="order_account_open",
                condition=Q(status__in=OPEN_STATUSES),
            ),
            models.Index(fields=["account", "client_order_id"], name="order_client_id"),
            models.Index(
                fields=["block_id"], name="order_block", condition=Q(block_id__isnull=False)
            ),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                condition=Q(filled_lots__gte=0, held_minor__gte=0, fee_minor__gte=0)
                & (Q(quantity_lots=0) | Q(filled_lots__lte=F("quantity_lots"))),
                name="order_fill_in_bounds",
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN_STATUSES) | Q(held_minor=0),
                name="order_ended_holds_nothing",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Fill(models.Model):
    """One side of a trade, for the owner of that side.

    Partitioned by month; its key in the database is (account, id, at).
    """

    id = models.BigIntegerField(primary_key=True, help_text="Trade id x 2, plus 1 for the taker.")
    trade_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    side = models.SmallIntegerField()
    is_maker = models.BooleanField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_ticks__gt=0, quantity_lots__gt=0, fee_minor__gte=0),
                name="fill_positive",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Position(models.Model):
    """What an account has of an asset, and what it has made of it, in the value asset.

    ``realised_minor`` is before fees and over the position's whole life.
    """

    pk = models.CompositePrimaryKey("account_id", "asset_id")
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    quantity_minor = models.BigIntegerField()
    cost_minor = models.BigIntegerField()
    realised_minor = models.BigIntegerField()
    fees_minor = models.BigIntegerField()
    last_id = models.BigIntegerField(help_text="The movement that changed it last.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["account_id", "asset_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity_minor__gte=0, cost_minor__gte=0, fees_minor__gte=0)
                & (Q(quantity_minor__gt=0) | Q(cost_minor=0)),
                name="position_flat_costs_nothing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.asset_id}"


class Movement(models.Model):
    """One movement of a position, and the position after it.

    Partitioned by month; its key in the database is (account, asset, at, id), so that the last one
    before any moment is one indexed read.
    """

    class Kind(models.IntegerChoices):
        TRADE = 1
        TRANSFER = 2
        VALUED = 3

    id = models.BigIntegerField(primary_key=True, help_text="Seq x 2^20, plus a number.")
    account = models.ForeignKey(
        "wallets.TradingAccount", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    asset = models.ForeignKey(
        "markets.Asset", on_delete=models.PROTECT, related_name="+",
        db_constraint=False, db_index=False,
    )  # fmt: skip
    kind = models.SmallIntegerField(choices=Kind)
    change_minor = models.BigIntegerField()
    value_minor = models.BigIntegerField(help_text="What the change was worth or had cost.")
    price_ticks = models.BigIntegerField(help_text="The price that said so; zero where none did.")
    quantity_minor = models.BigIntegerField()
    cost_minor = models.BigIntegerField()
    realised_minor = models.BigIntegerField()
    fees_minor = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.id)
