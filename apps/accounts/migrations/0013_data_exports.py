import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.sealed


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_staff_notes"),
    ]

    operations = [
        migrations.CreateModel(
            name="DataExport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Being made"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("gone", "Gone"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("tried_at", models.DateTimeField(null=True)),
                ("ready_at", models.DateTimeField(null=True)),
                (
                    "ends_at",
                    models.DateTimeField(help_text="From then on it is gone.", null=True),
                ),
                (
                    "file",
                    models.CharField(
                        blank=True, help_text="Its name in the storage.", max_length=100
                    ),
                ),
                ("key", apps.core.sealed.SealedField(editable=False, null=True)),
                (
                    "size_bytes",
                    models.BigIntegerField(default=0, help_text="Of the file as it is downloaded."),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="data_exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["person", "-asked_at"], name="data_export_of_person"),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["asked_at"],
                        name="data_export_waiting",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("person",),
                        name="data_export_one_waits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ends_at__isnull", False),
                                ("key__isnull", False),
                                ("ready_at__isnull", False),
                                ("state", "ready"),
                            ),
                            models.Q(models.Q(("state", "ready"), _negated=True), ("key", None)),
                            _connector="OR",
                        ),
                        name="data_export_ready_has_a_file",
                    ),
                ],
            },
        ),
    ]
