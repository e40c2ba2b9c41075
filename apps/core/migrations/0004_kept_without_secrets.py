"""A trigger names the columns of its table that are not kept: those that hold secrets."""

from django.db import migrations

_BODY = """
    CREATE OR REPLACE FUNCTION core_keep_row() RETURNS trigger AS $$
    BEGIN
        INSERT INTO core_auditedrow (table_name, label, at, row, pgh_context_id)
        VALUES (TG_TABLE_NAME, lower(TG_OP), clock_timestamp(),
                to_jsonb(COALESCE(NEW, OLD)){without}, _pgh_attach_context());
        RETURN NULL;
    END
    $$ LANGUAGE plpgsql
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0003_audited_rows")]

    operations = [
        migrations.RunSQL(
            _BODY.format(without=" - COALESCE(TG_ARGV, '{}')::text[]"), _BODY.format(without="")
        ),
    ]
