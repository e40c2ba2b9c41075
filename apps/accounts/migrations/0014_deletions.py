import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_data_exports"),
    ]

    operations = [
        migrations.CreateModel(
            name="Deletion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                (
                    "due_at",
                    models.DateTimeField(help_text="Until then it can be taken back."),
                ),
                ("taken_back_at", models.DateTimeField(null=True)),
                (
                    "held_up_by",
                    models.CharField(
                        blank=True, help_text="What keeps it from ending.", max_length=40
                    ),
                ),
                (
                    "closed_at",
                    models.DateTimeField(help_text="Since when nobody gets in.", null=True),
                ),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deletions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at", None), ("taken_back_at", None)),
                        fields=["due_at"],
                        name="deletion_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("done_at", None), ("taken_back_at", None)),
                        fields=("person",),
                        name="deletion_one_is_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done_at", None),
                            models.Q(("closed_at__isnull", False), ("taken_back_at", None)),
                            _connector="OR",
                        ),
                        name="deletion_done_was_closed",
                    ),
                ],
            },
        ),
    ]
