"""Access tokens are signed with a key pair that can be replaced."""

from django.db import migrations, models

import apps.core.sealed


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_places_and_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=16, unique=True)),
                ("public", models.BinaryField(max_length=32)),
                ("private", apps.core.sealed.SealedField()),
                ("created_at", models.DateTimeField()),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("retired_at", None)),
                        fields=("retired_at",),
                        name="signing_key_one_signs",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
