"""The block that an order is a leg of: it fills with it, at the same average price."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trades", "0007_breach_action")]

    operations = [
        migrations.AddField(
            "order",
            "block_id",
            models.BigIntegerField(null=True, help_text="The block that it is a leg of."),
        ),
    ]
