"""Which version of each projection wrote its tables: one that has changed is written again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("matching", "0001_journal_lease_snapshots")]

    operations = [
        migrations.AddField(
            model_name="projectionoffset",
            name="versions",
            field=models.JSONField(
                db_default={}, help_text="Version of each projection, by its name."
            ),
        ),
    ]
