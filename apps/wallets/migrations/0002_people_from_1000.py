"""Ids below 1000 are the house's, so people's accounts are numbered from 1000."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_wallets")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE wallets_tradingaccount ALTER COLUMN id RESTART WITH 1000;",
            migrations.RunSQL.noop,
        )
    ]
