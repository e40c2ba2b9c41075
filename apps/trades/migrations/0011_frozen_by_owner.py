"""A restriction may be its owner's: a frozen account."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trades", "0010_order_block_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="restriction",
            name="cause",
            field=models.CharField(
                choices=[
                    ("daily_loss", "Daily Loss"),
                    ("drawdown", "Drawdown"),
                    ("staff", "Staff"),
                    ("owner", "Owner"),
                ],
                max_length=12,
            ),
        ),
    ]
