"""What moves between an account and a block it has a leg in is a kind of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0004_deposits_by_reference")]

    operations = [
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("deposit", "Deposit"),
                    ("withdrawal", "Withdrawal"),
                    ("transfer", "Transfer"),
                    ("trade", "Trade"),
                    ("fee", "Fee"),
                    ("escrow", "Escrow"),
                ],
                max_length=12,
            ),
        ),
    ]
