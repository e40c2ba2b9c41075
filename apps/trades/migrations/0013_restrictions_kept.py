"""Who restricts an account or lifts it is kept, however it is written."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("trades", "0012_limits_in_the_audit_trail"),
        ("core", "0004_kept_without_secrets"),
    ]

    operations = [
        migrations.RunSQL(
            """
            CREATE TRIGGER restriction_kept AFTER INSERT OR UPDATE OR DELETE ON trades_restriction
            FOR EACH ROW EXECUTE FUNCTION core_keep_row()
            """,
            "DROP TRIGGER restriction_kept ON trades_restriction",
        )
    ]
