"""Assets, instruments, the tape and candles. What grows without end is partitioned by month.

Django cannot make partitioned tables, so those are written out; the state has them as it would.
"""

from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models

from apps.core.partitions import Partitioned, ensure_months

TRADE_SQL = """
CREATE TABLE markets_trade (
    id bigint NOT NULL,
    instrument_id integer NOT NULL,
    price_ticks bigint NOT NULL,
    quantity_lots bigint NOT NULL,
    quote_minor bigint NOT NULL,
    taker_side smallint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (instrument_id, id, at),
    CONSTRAINT trade_positive CHECK (price_ticks > 0 AND quantity_lots > 0)
) PARTITION BY RANGE (at);
CREATE TABLE markets_trade_default PARTITION OF markets_trade DEFAULT;
"""

TABLES = (Partitioned("markets_trade", "at"),)


def make_first_months(apps, schema_editor):
    for table in TABLES:
        ensure_months(table, datetime.now(UTC))


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=12, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("scale", models.PositiveSmallIntegerField()),
                ("display_decimals", models.PositiveSmallIntegerField()),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Instrument",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("symbol", models.CharField(max_length=200, unique=True)),
                (
                    "tick_size_minor",
                    models.BigIntegerField(help_text="Quote minor units per whole base unit."),
                ),
                ("lot_minor", models.BigIntegerField(help_text="Base minor units in one lot.")),
                (
                    "tick_lot_minor",
                    models.BigIntegerField(help_text="Quote minor units of one tick x one lot."),
                ),
                ("min_quantity_lots", models.BigIntegerField()),
                ("max_quantity_lots", models.BigIntegerField()),
                ("min_notional_minor", models.BigIntegerField()),
                ("max_notional_minor", models.BigIntegerField()),
                ("maker_fee_ppm", models.IntegerField()),
                ("taker_fee_ppm", models.IntegerField()),
                ("band_bps", models.IntegerField()),
                ("max_position_lots", models.BigIntegerField(default=0)),
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(1, "Open"), (2, "Cancel Only"), (3, "Halted")]
                    ),
                ),
                ("seq", models.BigIntegerField(default=0)),
                (
                    "base",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="markets.asset",
                    ),
                ),
                (
                    "quote",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="markets.asset",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Candle",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "instrument_id",
                        "at",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("at", models.DateTimeField(help_text="Start of the minute.")),
                ("open_ticks", models.BigIntegerField()),
                ("high_ticks", models.BigIntegerField()),
                ("low_ticks", models.BigIntegerField()),
                ("close_ticks", models.BigIntegerField()),
                ("volume_lots", models.BigIntegerField()),
                ("quote_minor", models.BigIntegerField()),
                ("trade_count", models.IntegerField()),
                ("synthetic", models.BooleanField(default=False)),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="markets.instrument",
                    ),
                ),
            ],
            options={
                "ordering": ["instrument_id", "at"],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Trade",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("price_ticks", models.BigIntegerField()),
                        ("quantity_lots", models.BigIntegerField()),
                        ("quote_minor", models.BigIntegerField()),
                        ("taker_side", models.SmallIntegerField()),
                        ("seq", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        (
                            "instrument",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="markets.instrument",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.AddConstraint(
                    model_name="trade",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("price_ticks__gt", 0), ("quantity_lots__gt", 0)),
                        name="trade_positive",
                    ),
                ),
            ],
            database_operations=[migrations.RunSQL(TRADE_SQL, "DROP TABLE markets_trade;")],
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lot_minor__gt", 0), ("tick_lot_minor__gt", 0), ("tick_size_minor__gt", 0)
                ),
                name="instrument_units_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.CheckConstraint(
                condition=models.Q(("maker_fee_ppm__gte", 0), ("taker_fee_ppm__gte", 0)),
                name="instrument_fees_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="candle",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("high_ticks__gte", models.F("open_ticks")),
                    ("low_ticks__gt", 0),
                    ("low_ticks__lte", models.F("open_ticks")),
                    ("high_ticks__gte", models.F("close_ticks")),
                    ("low_ticks__lte", models.F("close_ticks")),
                ),
                name="candle_low_and_high_enclose",
            ),
        ),
        migrations.AddConstraint(
            model_name="candle",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("quote_minor__gte", 0), ("trade_count__gte", 0), ("volume_lots__gte", 0)
                ),
                name="candle_volume_not_negative",
            ),
        ),
        migrations.RunPython(make_first_months, migrations.RunPython.noop),
    ]
