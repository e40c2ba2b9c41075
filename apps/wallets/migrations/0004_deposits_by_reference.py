"""Deposits are found by their reference, and no longer among all that an account has ever moved.

Each partition gets its index without a lock that the projector meets; the steps may be taken again.
"""

from django.db import migrations, models

from apps.core.partitions import ensure_index

NAME = "ledger_deposit_reference"
TABLE = "wallets_ledgerentry"
ON = "(account_id, asset_id, reference) WHERE kind = 'deposit'"


def make_index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        ensure_index(cursor, TABLE, NAME, ON, "deposit_reference")


def drop_index(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0003_fee_inside_its_leg")]

    operations = [
        migrations.RunPython(make_index, drop_index),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="ledgerentry",
                    index=models.Index(
                        condition=models.Q(("kind", "deposit")),
                        fields=["account", "asset", "reference"],
                        name="ledger_deposit_reference",
                    ),
                )
            ],
        ),
    ]
