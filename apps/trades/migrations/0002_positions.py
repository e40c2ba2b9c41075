"""Positions, and every movement of them. Movements are without end, so by month."""

from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models

from apps.core.partitions import Partitioned, ensure_months

MOVEMENT_SQL = """
CREATE TABLE trades_movement (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    asset_id smallint NOT NULL,
    kind smallint NOT NULL,
    change_minor bigint NOT NULL,
    value_minor bigint NOT NULL,
    price_ticks bigint NOT NULL,
    quantity_minor bigint NOT NULL,
    cost_minor bigint NOT NULL,
    realised_minor bigint NOT NULL,
    fees_minor bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, asset_id, at, id)
) PARTITION BY RANGE (at);
CREATE TABLE trades_movement_default PARTITION OF trades_movement DEFAULT;
"""


def make_first_months(apps, schema_editor):
    ensure_months(Partitioned("trades_movement", "at"), datetime.now(UTC))


class Migration(migrations.Migration):
    dependencies = [
        ("markets", "0001_markets"),
        ("trades", "0001_trades"),
        ("wallets", "0001_wallets"),
    ]

    operations = [
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "asset_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("quantity_minor", models.BigIntegerField()),
                ("cost_minor", models.BigIntegerField()),
                ("realised_minor", models.BigIntegerField()),
                ("fees_minor", models.BigIntegerField()),
                ("last_id", models.BigIntegerField(help_text="The movement that changed it last.")),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallets.tradingaccount",
                    ),
                ),
                (
                    "asset",
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
                "ordering": ["account_id", "asset_id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cost_minor__gte", 0),
                            ("fees_minor__gte", 0),
                            ("quantity_minor__gte", 0),
                            models.Q(("quantity_minor__gt", 0), ("cost_minor", 0), _connector="OR"),
                        ),
                        name="position_flat_costs_nothing",
                    )
                ],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Movement",
                    fields=[
                        (
                            "id",
                            models.BigIntegerField(
                                help_text="Seq x 2^20, plus a number.",
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "kind",
                            models.SmallIntegerField(
                                choices=[(1, "Trade"), (2, "Transfer"), (3, "Valued")]
                            ),
                        ),
                        ("change_minor", models.BigIntegerField()),
                        (
                            "value_minor",
                            models.BigIntegerField(
                                help_text="What the change was worth or had cost."
                            ),
                        ),
                        (
                            "price_ticks",
                            models.BigIntegerField(
                                help_text="The price that said so; zero where none did."
                            ),
                        ),
                        ("quantity_minor", models.BigIntegerField()),
                        ("cost_minor", models.BigIntegerField()),
                        ("realised_minor", models.BigIntegerField()),
                        ("fees_minor", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        (
                            "account",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="wallets.tradingaccount",
                            ),
                        ),
                        (
                            "asset",
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
                        "ordering": ["-id"],
                    },
                ),
            ],
            database_operations=[migrations.RunSQL(MOVEMENT_SQL, "DROP TABLE trades_movement;")],
        ),
        migrations.RunPython(make_first_months, migrations.RunPython.noop),
    ]
