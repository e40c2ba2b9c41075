"""What the auction to come would trade, and what the last one has traded."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("markets", "0004_staff_requests")]

    operations = [
        *(
            migrations.AddField(
                model_name="instrument",
                name=name,
                field=models.BigIntegerField(default=0, db_default=0),
            )
            for name in (
                "indicative_ticks",
                "indicative_lots",
                "indicative_surplus_lots",
                "auction_ticks",
                "auction_lots",
            )
        ),
        migrations.AddField(
            model_name="instrument", name="auction_at", field=models.DateTimeField(null=True)
        ),
    ]
