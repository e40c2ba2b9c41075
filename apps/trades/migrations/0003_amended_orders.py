"""What an amended order asked for at first, so that it is known again when it is sent twice."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trades", "0002_positions")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="entered_quantity_lots",
            field=models.BigIntegerField(
                help_text="What was asked for at first, where the order was amended.", null=True
            ),
        ),
        migrations.AddField("order", "entered_price_ticks", models.BigIntegerField(null=True)),
        migrations.AddField("order", "entered_stop_ticks", models.BigIntegerField(null=True)),
    ]
