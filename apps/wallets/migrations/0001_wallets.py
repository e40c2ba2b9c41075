"""Trading accounts, balances and the ledger. What grows without end is partitioned by month.

Django cannot make partitioned tables, so those are written out; the state has them as it would.
"""

import uuid
from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.core.partitions import Partitioned, ensure_months

LEDGERENTRY_SQL = """
CREATE TABLE wallets_ledgerentry (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    event_index integer NOT NULL,
    account_id bigint NOT NULL,
    asset_id smallint NOT NULL,
    amount_minor bigint NOT NULL,
    kind varchar(12) NOT NULL,
    reference varchar(200) NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id, at),
    CONSTRAINT ledger_entry_moves_something CHECK (amount_minor <> 0)
) PARTITION BY RANGE (at);
CREATE TABLE wallets_ledgerentry_default PARTITION OF wallets_ledgerentry DEFAULT;
"""

TABLES = (Partitioned("wallets_ledgerentry", "at"),)


def make_first_months(apps, schema_editor):
    for table in TABLES:
        ensure_months(table, datetime.now(UTC))


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("markets", "0001_markets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TradingAccount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("main", "Main"), ("house", "House"), ("external", "External")],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "trade_group",
                    models.BigIntegerField(help_text="Accounts of one group never trade together."),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trading_accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="LedgerEntry",
                    fields=[
                        ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("seq", models.BigIntegerField()),
                        ("event_index", models.IntegerField()),
                        ("amount_minor", models.BigIntegerField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("deposit", "Deposit"),
                                    ("withdrawal", "Withdrawal"),
                                    ("transfer", "Transfer"),
                                    ("trade", "Trade"),
                                    ("fee", "Fee"),
                                ],
                                max_length=12,
                            ),
                        ),
                        ("reference", models.CharField(blank=True, max_length=200)),
                        ("at", models.DateTimeField()),
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
                    ],
                    options={
                        "verbose_name_plural": "ledger entries",
                        "ordering": ["-id"],
                    },
                ),
                migrations.AddConstraint(
                    model_name="ledgerentry",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("amount_minor", 0), _negated=True),
                        name="ledger_entry_moves_something",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(LEDGERENTRY_SQL, "DROP TABLE wallets_ledgerentry;")
            ],
        ),
        migrations.CreateModel(
            name="Balance",
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
                ("available_minor", models.BigIntegerField()),
                ("held_minor", models.BigIntegerField()),
                ("seq", models.BigIntegerField()),
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
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balances",
                        to="wallets.tradingaccount",
                    ),
                ),
            ],
            options={
                "ordering": ["account_id", "asset_id"],
            },
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "main")),
                fields=("owner",),
                name="account_one_main_per_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "main"), ("owner__isnull", False)),
                    models.Q(("kind__in", ["house", "external"]), ("owner__isnull", True)),
                    _connector="OR",
                ),
                name="account_owner_by_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="balance",
            constraint=models.CheckConstraint(
                condition=models.Q(("available_minor__gte", 0), ("account_id", 1), _connector="OR"),
                name="balance_available_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="balance",
            constraint=models.CheckConstraint(
                condition=models.Q(("held_minor__gte", 0)), name="balance_held_not_negative"
            ),
        ),
        migrations.RunPython(make_first_months, migrations.RunPython.noop),
    ]
