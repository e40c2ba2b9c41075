"""Assets, instruments and public market data. Trades, candles and tickers are projections."""

from __future__ import annotations

from django.db import models


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
    """One market as the engine has it. Written only by the projection of the engine's events.

    A price is ``price_ticks * 10**-price_decimals * tick_units`` (ticks are whole multiples of the
    last shown decimal), a quantity ``quantity_lots`` alike.
    """

    class State(models.IntegerChoices):
        OPEN = 1
        CANCEL_ONLY = 2
        HALTED = 3

    id = models.IntegerField(primary_key=True)
    symbol = models.CharField(max_length=25, unique=True)
    base = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    quote = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
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
    seq = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.symbol


class Trade(models.Model):
    """The public tape. Partitioned by time."""

    id = models.BigIntegerField(primary_key=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    taker_side = models.SmallIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()


class Candle(models.Model):
    """One minute of one market. Longer intervals are rolled up from these when they are read."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(help_text="Start of the minute.")
    open_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    close_ticks = models.BigIntegerField()
    volume_lots = models.BigIntegerField()
    quote_minor = models.BigIntegerField()
    trade_count = models.IntegerField()
    synthetic = models.BooleanField(default=False)
