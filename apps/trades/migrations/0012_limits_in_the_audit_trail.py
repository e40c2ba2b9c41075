"""Every change of an account's limits is kept, whoever makes it and however."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trades", "0011_frozen_by_owner"), ("core", "0003_audited_rows")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TRIGGER risk_limits_kept AFTER INSERT OR UPDATE OR DELETE ON trades_risklimits
            FOR EACH ROW EXECUTE FUNCTION core_keep_row()
            """,
            "DROP TRIGGER risk_limits_kept ON trades_risklimits",
        )
    ]
