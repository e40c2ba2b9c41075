"""Which orders belong together: the two of a pair, and what protects a purchase."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trades", "0005_order_special_terms")]

    operations = [
        migrations.AddField(
            "order",
            "pair_order_id",
            models.BigIntegerField(
                help_text="The other of two orders of which one fills.", null=True
            ),
        ),
        migrations.AddField(
            "order",
            "parent_order_id",
            models.BigIntegerField(help_text="The purchase that this order protects.", null=True),
        ),
    ]
