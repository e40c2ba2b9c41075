"""Legs are found by their block.

Each partition gets its index without a lock that the projector meets; the steps may be taken again.
"""

from django.db import migrations, models

from apps.core.partitions import ensure_index

NAME = "order_block"
ON = "(block_id) WHERE block_id IS NOT NULL"


def make_index(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        ensure_index(cursor, "trades_order", NAME, ON, "block")


def drop_index(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("trades", "0009_blocks")]

    operations = [
        migrations.RunPython(make_index, drop_index),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    model_name="order",
                    index=models.Index(
                        condition=models.Q(block_id__isnull=False),
                        fields=["block_id"],
                        name="order_block",
                    ),
                )
            ],
        ),
    ]
