"""Orders and fills. What grows without end is partitioned by month.

Django cannot make partitioned tables, so those are written out; the state has them as it would.
"""

from datetime import UTC, datetime

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from apps.core.partitions import Partitioned, ensure_months

FILL_SQL = """
CREATE TABLE trades_fill (
    id bigint NOT NULL,
    trade_id bigint NOT NULL,
    order_id bigint NOT NULL,
    account_id bigint NOT NULL,
    instrument_id integer NOT NULL,
    side smallint NOT NULL,
    is_maker boolean NOT NULL,
    price_ticks bigint NOT NULL,
    quantity_lots bigint NOT NULL,
    quote_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id, at),
    CONSTRAINT fill_positive CHECK (price_ticks > 0 AND quantity_lots > 0 AND fee_minor >= 0)
) PARTITION BY RANGE (at);
CREATE TABLE trades_fill_default PARTITION OF trades_fill DEFAULT;
"""

ORDER_SQL = """
CREATE TABLE trades_order (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    instrument_id integer NOT NULL,
    client_order_id varchar(64) NOT NULL,
    side smallint NOT NULL,
    order_type smallint NOT NULL,
    time_in_force smallint NOT NULL,
    post_only boolean NOT NULL,
    self_trade smallint NOT NULL,
    quantity_lots bigint NOT NULL,
    quote_minor bigint NOT NULL,
    price_ticks bigint NOT NULL,
    stop_ticks bigint NOT NULL,
    expires_at timestamptz NULL,
    filled_lots bigint NOT NULL,
    filled_quote_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    held_minor bigint NOT NULL,
    triggered boolean NOT NULL,
    status varchar(16) NOT NULL,
    reason varchar(40) NOT NULL,
    seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id, created_at),
    CONSTRAINT order_fill_in_bounds CHECK (
        filled_lots >= 0 AND held_minor >= 0 AND fee_minor >= 0
        AND (quantity_lots = 0 OR filled_lots <= quantity_lots)
    ),
    CONSTRAINT order_ended_holds_nothing CHECK (
        status IN ('open', 'partially_filled') OR held_minor = 0
    )
) PARTITION BY RANGE (created_at);
CREATE TABLE trades_order_default PARTITION OF trades_order DEFAULT;
CREATE INDEX order_recent ON trades_order USING brin (id, created_at)
    WITH (autosummarize = on);
CREATE INDEX order_account_open ON trades_order (account_id, id)
    WHERE status IN ('open', 'partially_filled');
CREATE INDEX order_client_id ON trades_order (account_id, client_order_id);
"""

TABLES = (
    Partitioned("trades_fill", "at"),
    Partitioned("trades_order", "created_at"),
)


def make_first_months(apps, schema_editor):
    for table in TABLES:
        ensure_months(table, datetime.now(UTC))


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("markets", "0001_markets"),
        ("wallets", "0001_wallets"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Fill",
                    fields=[
                        (
                            "id",
                            models.BigIntegerField(
                                help_text="Trade id x 2, plus 1 for the taker.",
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("trade_id", models.BigIntegerField()),
                        ("order_id", models.BigIntegerField()),
                        ("side", models.SmallIntegerField()),
                        ("is_maker", models.BooleanField()),
                        ("price_ticks", models.BigIntegerField()),
                        ("quantity_lots", models.BigIntegerField()),
                        ("quote_minor", models.BigIntegerField()),
                        ("fee_minor", models.BigIntegerField()),
                        ("seq", models.BigIntegerField()),
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
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("fee_minor__gte", 0),
                                    ("price_ticks__gt", 0),
                                    ("quantity_lots__gt", 0),
                                ),
                                name="fill_positive",
                            )
                        ],
                    },
                ),
            ],
            database_operations=[migrations.RunSQL(FILL_SQL, "DROP TABLE trades_fill;")],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Order",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("client_order_id", models.CharField(max_length=64)),
                        ("side", models.SmallIntegerField()),
                        ("order_type", models.SmallIntegerField()),
                        ("time_in_force", models.SmallIntegerField()),
                        ("post_only", models.BooleanField()),
                        ("self_trade", models.SmallIntegerField()),
                        ("quantity_lots", models.BigIntegerField()),
                        (
                            "quote_minor",
                            models.BigIntegerField(
                                help_text="Budget of a market order by quote amount."
                            ),
                        ),
                        ("price_ticks", models.BigIntegerField()),
                        ("stop_ticks", models.BigIntegerField()),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("filled_lots", models.BigIntegerField()),
                        ("filled_quote_minor", models.BigIntegerField()),
                        ("fee_minor", models.BigIntegerField()),
                        ("held_minor", models.BigIntegerField()),
                        ("triggered", models.BooleanField()),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("partially_filled", "Partially Filled"),
                                    ("filled", "Filled"),
                                    ("cancelled", "Cancelled"),
                                    ("rejected", "Rejected"),
                                    ("expired", "Expired"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=40)),
                        ("seq", models.BigIntegerField(help_text="Command that entered it.")),
                        (
                            "last_seq",
                            models.BigIntegerField(help_text="Command that last changed it."),
                        ),
                        ("created_at", models.DateTimeField()),
                        ("updated_at", models.DateTimeField()),
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
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                autosummarize=True, fields=["id", "created_at"], name="order_recent"
                            ),
                            models.Index(
                                condition=models.Q(("status__in", ("open", "partially_filled"))),
                                fields=["account", "id"],
                                name="order_account_open",
                            ),
                            models.Index(
                                fields=["account", "client_order_id"], name="order_client_id"
                            ),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("fee_minor__gte", 0),
                                    ("filled_lots__gte", 0),
                                    ("held_minor__gte", 0),
                                    models.Q(
                                        ("quantity_lots", 0),
                                        ("filled_lots__lte", models.F("quantity_lots")),
                                        _connector="OR",
                                    ),
                                ),
                                name="order_fill_in_bounds",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("status__in", ("open", "partially_filled")),
                                    ("held_minor", 0),
                                    _connector="OR",
                                ),
                                name="order_ended_holds_nothing",
                            ),
                        ],
                    },
                ),
            ],
            database_operations=[migrations.RunSQL(ORDER_SQL, "DROP TABLE trades_order;")],
        ),
        migrations.RunPython(make_first_months, migrations.RunPython.noop),
    ]
