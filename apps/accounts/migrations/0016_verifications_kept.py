"""Every decision about a verification is kept in the trail, and no sealed column with it."""

from django.db import migrations

_KEPT = """
    CREATE TRIGGER {table}_kept AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION core_keep_row({secret})
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_staff_freezes"), ("core", "0004_kept_without_secrets")]

    operations = [
        migrations.RunSQL(
            _KEPT.format(table=table, secret=f"'{secret}'"), f"DROP TRIGGER {table}_kept ON {table}"
        )
        for table, secret in (("accounts_verification", "details"), ("accounts_document", "key"))
    ]
