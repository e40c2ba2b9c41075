"""Assets, instruments and public market data.

Instruments, trades and candles are projections of the engine's events: nothing but the projector
writes them, synthetic candles of the demo world aside. Their foreign keys are not checked by the
database, because the engine has decided already and a check per row costs more than the row.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.core.audit import tracked


class Asset(models.Model):
    """``scale`` is the number of decimals of one minor unit: 8 means 0.00000001."""

    id = models.SmallIntegerField(primary_key=True)
    code = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=60)
    scale = models.PositiveSmallIntegerField()
    display_decimals = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.code


class Instrument(models.Model):
    """One market as the engine has it.

    Ticks and lots are whole: a price is ``price_ticks * tick_size_minor`` quote minor units for
    one whole base unit, a quantity is ``quantity_lots * lot_minor`` base minor units.
    """

    class State(models.IntegerChoices):
        OPEN = 1
        CANCEL_ONLY = 2
        HALTED = 3

    class Phase(models.IntegerChoices):
        TRADING = 0
        LIMIT_STATE = 1
        AUCTION = 2
        AUCTION_EXTENDED = 3
        STAFF_DECIDE = 4

    id = models.IntegerField(primary_key=True)
    symbol = models.CharField(max_length=200, unique=True)
    base = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    quote = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    tick_size_minor = models.BigIntegerField(help_text="Quote minor units per whole base unit.")
    lot_minor = models.BigIntegerField(help_text="Base minor units in one lot.")
    tick_lot_minor = models.BigIntegerField(help_text="Quote minor units of one tick x one lot.")
    min_quantity_lots = models.BigIntegerField()
    max_quantity_lots = models.BigIntegerField()
    min_notional_minor = models.BigIntegerField()
    max_notional_minor = models.BigIntegerField()
    maker_fee_ppm = models.IntegerField()
    taker_fee_ppm = models.IntegerField()
    band_bps = models.IntegerField()
    max_position_lots = models.BigIntegerField(default=0)
    state = models.SmallIntegerField(choices=State)
    limit_state_seconds = models.IntegerField(default=0, db_default=0)
    halt_seconds = models.IntegerField(default=0, db_default=0)
    phase = models.SmallIntegerField(choices=Phase, default=0, db_default=0)
    phase_until = models.DateTimeField(null=True)
    # What the auction to come would trade, and what the last one has traded; zero: nothing.
    indicative_ticks = models.BigIntegerField(default=0, db_default=0)
    indicative_lots = models.BigIntegerField(default=0, db_default=0)
    indicative_surplus_lots = models.BigIntegerField(default=0, db_default=0)
    auction_ticks = models.BigIntegerField(default=0, db_default=0)
    auction_lots = models.BigIntegerField(default=0, db_default=0)
    auction_at = models.DateTimeField(null=True)
    seq = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(tick_size_minor__gt=0, lot_minor__gt=0, tick_lot_minor__gt=0),
                name="instrument_units_positive",
            ),
            models.CheckConstraint(
                condition=Q(maker_fee_ppm__gte=0, taker_fee_ppm__gte=0),
                name="instrument_fees_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.symbol


@tracked()
class StaffRequest(models.Model):
    """Something that one member of staff asks for and another decides."""

    class Kind(models.TextChoices):
        OPEN = "open", "Open a market"
        CALL_AUCTION = "call_auction", "Open a market by an auction"
        REOPEN = "reopen", "End an auction now"
        LIST = "list", "List a market"
        CHANGE = "change", "Change terms of a market"

    class Status(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"

    kind = models.CharField(max_length=16, choices=Kind)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", null=True, blank=True,
        db_constraint=False,
    )  # fmt: skip
    reference = models.CharField(max_length=40, blank=True)
    spec = models.TextField(blank=True)
    changes = models.JSONField(
        default=dict, blank=True, help_text="Each term with what it was and what it is to be."
    )
    reason = models.CharField(max_length=200, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="approved") | ~Q(decided_by=F("asked_by")),
                name="staff_request_two_people",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.status})"


class MarketChange(models.Model):
    """What staff, or the venue itself where ``actor`` is nobody, have had done to a market.

    Written with the engine's answer; what a market does by itself is in its phases and the journal.
    """

    class Kind(models.TextChoices):
        LISTED = "listed", "Listed"
        TERMS = "terms", "Terms changed"
        OPENED = "opened", "Opened"
        CANCEL_ONLY = "cancel_only", "Cancellations only"
        HALTED = "halted", "Halted"
        AUCTION = "auction", "Auction called"
        REOPENED = "reopened", "Auction ended"
        KILLED = "killed", "All orders ended"

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    seq = models.BigIntegerField()
    changes = models.JSONField(default=dict, help_text="Each term with what it was and is now.")
    reason = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["instrument", "-id"], name="market_change_of_market")]
        constraints = [
            models.CheckConstraint(
                condition=Q(actor=None) | Q(approved_by=None) | ~Q(actor=F("approved_by")),
                name="market_change_two_people",
            )
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.at:%Y-%m-%d %H:%M}"


class Trade(models.Model):
    """The public tape, partitioned by month; its key in the database is (instrument, id, at)."""

    id = models.BigIntegerField(primary_key=True)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    taker_side = models.SmallIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_ticks__gt=0, quantity_lots__gt=0), name="trade_positive"
            )
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id}/{self.id}"


class Candle(models.Model):
    """One minute of one market. Longer intervals are rolled up from these when they are read.

    ``synthetic`` marks history that nobody traded; a real trade in its minute replaces it.
    """

    pk = models.CompositePrimaryKey("instrument_id", "at")
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    at = models.DateTimeField(help_text="Start of the minute.")
    open_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    close_ticks = models.BigIntegerField()
    volume_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    trade_count = models.IntegerField()
    synthetic = models.BooleanField(default=False)

    class Meta:
        ordering = ["instrument_id", "at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    low_ticks__gt=0,
                    low_ticks__lte=F("open_ticks"),
                    high_ticks__gte=F("open_ticks"),
                )
                & Q(low_ticks__lte=F("close_ticks"), high_ticks__gte=F("close_ticks")),
                name="candle_low_and_high_enclose",
            ),
            models.CheckConstraint(
                condition=Q(volume_lots__gte=0, quote_minor__gte=0, trade_count__gte=0),
                name="candle_volume_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.at:%Y-%m-%d %H:%M}"
