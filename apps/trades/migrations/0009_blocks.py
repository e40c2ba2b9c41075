"""Blocks that apps above own, what happened to them, and how far each owner has heard."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("markets", "0001_markets"),
        ("trades", "0008_order_block"),
        ("wallets", "0001_wallets"),
    ]

    operations = [
        migrations.CreateModel(
            "Block",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        help_text="Which app owns it: see trades.routing.", max_length=20
                    ),
                ),
                (
                    "client_order_id",
                    models.CharField(help_text="The leader's, of his leg.", max_length=64),
                ),
                (
                    "digest",
                    models.CharField(help_text="Tells a repeat from another block.", max_length=64),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        help_text="The leader's.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallets.tradingaccount",
                    ),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="markets.instrument",
                    ),
                ),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.AddConstraint(
            "block",
            models.UniqueConstraint(fields=["account", "client_order_id"], name="block_client_id"),
        ),
        migrations.CreateModel(
            "BlockEvent",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        help_text="Seq x 2^16, plus a number.", primary_key=True, serialize=False
                    ),
                ),
                ("block_id", models.BigIntegerField(db_index=True)),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("joined", "Joined"),
                            ("left_out", "Left Out"),
                            ("allotted", "Allotted"),
                            ("left", "Left"),
                            ("ended", "Ended"),
                            ("closed", "Closed"),
                        ],
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=40)),
                (
                    "legs",
                    models.JSONField(
                        help_text="A list for each leg that it is about, its account first."
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.CreateModel(
            "BlockListener",
            fields=[
                ("kind", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("last_id", models.BigIntegerField(default=0)),
            ],
        ),
    ]
