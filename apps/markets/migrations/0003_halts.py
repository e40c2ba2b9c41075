"""How long the limit state and the pause of a market last, and the phase it is in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("markets", "0002_six_assets")]

    operations = [
        migrations.AddField(
            "instrument", "limit_state_seconds", models.IntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            "instrument", "halt_seconds", models.IntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            "instrument",
            "phase",
            models.SmallIntegerField(
                choices=[
                    (0, "Trading"),
                    (1, "Limit State"),
                    (2, "Auction"),
                    (3, "Auction Extended"),
                    (4, "Staff Decide"),
                ],
                db_default=0,
                default=0,
            ),
        ),
        migrations.AddField("instrument", "phase_until", models.DateTimeField(null=True)),
    ]
