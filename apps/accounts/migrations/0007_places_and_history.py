"""Sign-ins of the site are in the list too; every try is kept for 90 days."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_short_passwords"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignInRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("outcome", models.CharField(help_text="How it ended.", max_length=20)),
                ("way", models.CharField(help_text="site or api.", max_length=10)),
                ("client", models.CharField(blank=True, max_length=200)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("is_new_device", models.BooleanField(default=False)),
            ],
        ),
        migrations.AddField(
            model_name="signin",
            name="session_key",
            field=models.CharField(blank=True, help_text="Of the site's session.", max_length=40),
        ),
        migrations.AddField(
            model_name="user",
            name="sessions_epoch",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="Goes up where all sessions are to end at once.",
            ),
        ),
        migrations.AddConstraint(
            model_name="signin",
            constraint=models.UniqueConstraint(
                condition=models.Q(("session_key", ""), _negated=True),
                fields=("session_key",),
                name="sign_in_session_is_one",
            ),
        ),
        migrations.AddField(
            model_name="signinrecord",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sign_in_records",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="signinrecord",
            index=models.Index(fields=["user", "-at"], name="sign_in_record_of_person"),
        ),
    ]
