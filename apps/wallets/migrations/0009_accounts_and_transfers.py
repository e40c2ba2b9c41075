from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0008_liabilities_and_transfers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="tradingaccount",
            name="kind",
            field=models.CharField(
                choices=[
                    ("main", "Main"),
                    ("sub", "Sub"),
                    ("house", "House"),
                    ("external", "External"),
                ],
                max_length=12,
            ),
        ),
        migrations.RemoveConstraint(model_name="tradingaccount", name="account_owner_by_kind"),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.CheckConstraint(
                condition=Q(kind__in=["main", "sub"], owner__isnull=False)
                | Q(kind__in=["house", "external"], owner__isnull=True),
                name="account_owner_by_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="tradingaccount",
            constraint=models.UniqueConstraint(
                fields=["owner", "name"], name="account_name_per_owner"
            ),
        ),
        migrations.AddField(
            model_name="internaltransfer",
            name="written_to",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Whom the sender named, as he wrote it.",
                max_length=254,
            ),
        ),
        migrations.AddField(
            model_name="internaltransfer",
            name="reason",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
    ]
