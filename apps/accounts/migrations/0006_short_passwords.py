"""Whether a password is long enough only beside a second factor."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_api_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="password_is_short",
            field=models.BooleanField(
                default=False, editable=False, help_text="Long enough beside a second factor only."
            ),
        ),
    ]
