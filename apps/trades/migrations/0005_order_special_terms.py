"""What few orders ask for: a shown part, a distance to trail at, prices that protect a purchase."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trades", "0004_risk")]

    operations = [
        migrations.AddField("order", "display_lots", models.BigIntegerField(null=True)),
        migrations.AddField("order", "trail_ticks", models.BigIntegerField(null=True)),
        migrations.AddField("order", "trail_bps", models.IntegerField(null=True)),
        migrations.AddField("order", "take_profit_ticks", models.BigIntegerField(null=True)),
        migrations.AddField("order", "stop_loss_ticks", models.BigIntegerField(null=True)),
        migrations.AddField("order", "stop_loss_limit_ticks", models.BigIntegerField(null=True)),
    ]
