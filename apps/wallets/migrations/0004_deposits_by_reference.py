"""Deposits are found by their reference, and no longer among all that an account has ever moved.

Each partition gets its index without a lock that the projector meets; the steps may be taken again.
"""

from django.db import migrations, models

NAME = "ledger_deposit_reference"
TABLE = "wallets_ledgerentry"
ON = "(account_id, asset_id, reference) WHERE kind = 'deposit'"


def make_index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {NAME} ON ONLY {TABLE} {ON}")
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            f" WHERE inhparent = '{TABLE}'::regclass ORDER BY relname"
        )
        for (partition,) in cursor.fetchall():
            index = f"{partition}_deposit_reference"
            cursor.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index]
            )
            found = cursor.fetchone()
            if found == (False,):
                # What a run that was broken off has left.
                cursor.execute(f'DROP INDEX CONCURRENTLY "{index}"')
            cursor.execute(
                f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{index}" ON "{partition}" {ON}'
            )
            cursor.execute(f'ALTER INDEX {NAME} ATTACH PARTITION "{index}"')


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
