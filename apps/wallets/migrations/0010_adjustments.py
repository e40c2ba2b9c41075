"""Corrections of balances. What a row says of money never changes, and no row is removed."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_audited_rows"),
        ("markets", "0006_audit_trail"),
        ("wallets", "0009_accounts_and_transfers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("goodwill", "Goodwill"),
                            ("fee_refund", "Fee Refund"),
                            ("missed_deposit", "Missed Deposit"),
                            ("reversed_deposit", "Reversed Deposit"),
                            ("wrong_credit", "Wrong Credit"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(
                        help_text="Always more than zero: the category says who."
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        help_text="For staff; its owner never reads it.", max_length=200
                    ),
                ),
                (
                    "case",
                    models.CharField(
                        help_text="The ticket, transaction or trade behind it.", max_length=64
                    ),
                ),
                ("effect_id", models.CharField(max_length=64, null=True, unique=True)),
                ("requested_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting for somebody to agree"),
                            ("approved", "Agreed to, being carried out"),
                            ("done", "Done"),
                            ("failed", "Not possible: nothing moved"),
                            ("refused", "Refused"),
                            ("expired", "Too old: nobody decided"),
                        ],
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decision",
                    models.CharField(blank=True, help_text="Why, by who decided.", max_length=200),
                ),
                (
                    "sent_at",
                    models.DateTimeField(
                        help_text="Written before the engine is told: from then on it may have moved.",
                        null=True,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "seq",
                    models.BigIntegerField(
                        help_text="The command that moved the value.", null=True
                    ),
                ),
                (
                    "problem",
                    models.CharField(
                        blank=True, help_text="Why the engine refused.", max_length=40
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "verbose_name": "correction",
                "verbose_name_plural": "corrections of balances",
            },
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("deposit", "Deposit"),
                    ("withdrawal", "Withdrawal"),
                    ("transfer", "Transfer"),
                    ("trade", "Trade"),
                    ("fee", "Fee"),
                    ("escrow", "Escrow"),
                    ("adjustment", "Adjustment"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="wallets.tradingaccount",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="asset",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="markets.asset",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="requested_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="adjustment",
            index=models.Index(
                condition=models.Q(("state__in", ["requested", "approved"])),
                fields=["state", "id"],
                name="adjustment_open",
            ),
        ),
        migrations.AddIndex(
            model_name="adjustment",
            index=models.Index(fields=["account", "-id"], name="adjustment_of_account"),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="adjustment_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["approved", "done", "failed"]), _negated=True),
                    models.Q(
                        ("decided_by__isnull", False),
                        models.Q(("decided_by", models.F("requested_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="adjustment_two_are_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("seq__isnull", False), ("state", "done")),
                    models.Q(models.Q(("state", "done"), _negated=True), ("seq", None)),
                    _connector="OR",
                ),
                name="adjustment_done_by_a_command",
            ),
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION wallets_adjustment_is_fixed() RETURNS trigger AS $$
            BEGIN
                IF TG_OP = 'DELETE' OR (
                    NEW.public_id, NEW.account_id, NEW.asset_id, NEW.category, NEW.amount_minor,
                    NEW.reason, NEW."case", NEW.requested_by_id, NEW.requested_at, NEW.expires_at
                ) IS DISTINCT FROM (
                    OLD.public_id, OLD.account_id, OLD.asset_id, OLD.category, OLD.amount_minor,
                    OLD.reason, OLD."case", OLD.requested_by_id, OLD.requested_at, OLD.expires_at
                ) THEN
                    RAISE EXCEPTION 'What was asked for stays as it is in %', TG_TABLE_NAME;
                END IF;
                RETURN NEW;
            END
            $$ LANGUAGE plpgsql;
            CREATE TRIGGER adjustment_is_fixed BEFORE UPDATE OR DELETE ON wallets_adjustment
            FOR EACH ROW EXECUTE FUNCTION wallets_adjustment_is_fixed();
            CREATE TRIGGER adjustment_kept AFTER INSERT OR UPDATE OR DELETE ON wallets_adjustment
            FOR EACH ROW EXECUTE FUNCTION core_keep_row();
            """,
            """
            DROP TRIGGER adjustment_kept ON wallets_adjustment;
            DROP TRIGGER adjustment_is_fixed ON wallets_adjustment;
            DROP FUNCTION wallets_adjustment_is_fixed();
            """,
        ),
    ]
