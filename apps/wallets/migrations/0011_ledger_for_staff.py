"""Staff find a command, a moment or a reference in the ledger without reading all of it.

Each partition gets its indexes without a lock that the projector meets; the steps may be taken
again.
"""

import django.contrib.postgres.indexes
from django.db import migrations, models

from apps.core.partitions import ensure_index

TABLE = "wallets_ledgerentry"
KINDS = ["deposit", "withdrawal", "transfer", "adjustment"]
RECENT = "USING brin (id, at) WITH (autosummarize = on)"
REFERENCE = "(reference) WHERE kind IN ('deposit', 'withdrawal', 'transfer', 'adjustment')"


def make_indexes(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        ensure_index(cursor, TABLE, "ledger_recent", RECENT, "recent")
        ensure_index(cursor, TABLE, "ledger_reference", REFERENCE, "by_reference")


def drop_indexes(apps, schema_editor):
    schema_editor.execute("DROP INDEX IF EXISTS ledger_recent, ledger_reference")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0010_adjustments")]

    operations = [
        migrations.RunPython(make_indexes, drop_indexes),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="ledgerentry",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["id", "at"], name="ledger_recent"
                    ),
                ),
                migrations.AddIndex(
                    model_name="ledgerentry",
                    index=models.Index(
                        condition=models.Q(("kind__in", KINDS)),
                        fields=["reference"],
                        name="ledger_reference",
                    ),
                ),
            ],
        ),
    ]
