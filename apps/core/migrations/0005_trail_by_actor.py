"""The trail is read by who did it, and by when."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_kept_without_secrets"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX trail_by_actor ON pghistory_context ((metadata->>'user'))",
            "DROP INDEX trail_by_actor",
        ),
    ]
