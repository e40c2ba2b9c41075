"""The journal and its guards: append-only by trigger, one lease row per shard."""

from django.db import migrations, models

# Batches are packed already: compressing them again would only cost the writer time.
# The lease row is updated with every batch: room on its page keeps those updates cheap.
STORAGE = """
ALTER TABLE matching_journal ALTER COLUMN commands SET STORAGE EXTERNAL;
ALTER TABLE matching_journal ALTER COLUMN events SET STORAGE EXTERNAL;
ALTER TABLE matching_lease SET (fillfactor = 20);
ALTER TABLE matching_projection_offset SET (fillfactor = 20);
"""

APPEND_ONLY = """
CREATE FUNCTION matching_journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'matching_journal is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER matching_journal_append_only
    BEFORE UPDATE OR DELETE ON matching_journal
    FOR EACH ROW EXECUTE FUNCTION matching_journal_refuse();
CREATE TRIGGER matching_journal_no_truncate
    BEFORE TRUNCATE ON matching_journal
    FOR EACH STATEMENT EXECUTE FUNCTION matching_journal_refuse();
"""

APPEND_ONLY_UNDONE = """
DROP TRIGGER matching_journal_no_truncate ON matching_journal;
DROP TRIGGER matching_journal_append_only ON matching_journal;
DROP FUNCTION matching_journal_refuse();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("shard", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("epoch", models.BigIntegerField(default=0)),
                ("last_seq", models.BigIntegerField(default=0)),
                ("holder", models.CharField(blank=True, max_length=120)),
                ("backend_pid", models.IntegerField(default=0)),
                ("renewed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "matching_lease",
            },
        ),
        migrations.CreateModel(
            name="ProjectionOffset",
            fields=[
                ("shard", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("at_ns", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "matching_projection_offset",
            },
        ),
        migrations.CreateModel(
            name="JournalRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard",
                        "last_seq",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("shard", models.SmallIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                (
                    "epoch",
                    models.BigIntegerField(help_text="Which writer wrote it; only grows."),
                ),
                (
                    "at_ns",
                    models.BigIntegerField(help_text="Time of the last command in the row."),
                ),
                ("stream_generation", models.BigIntegerField()),
                (
                    "last_entry_id",
                    models.CharField(help_text="Last stream entry consumed.", max_length=41),
                ),
                ("rules_version", models.IntegerField()),
                ("commands", models.BinaryField()),
                ("events", models.BinaryField()),
                ("prev_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
            options={
                "db_table": "matching_journal",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_seq__gte", 1),
                            ("last_seq__gte", models.F("first_seq")),
                        ),
                        name="matching_journal_seq_order",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("shard", models.SmallIntegerField()),
                ("seq", models.BigIntegerField()),
                ("at_ns", models.BigIntegerField()),
                ("rules_version", models.IntegerField()),
                ("state", models.BinaryField()),
                (
                    "state_sha256",
                    models.CharField(help_text="Of the bytes in ``state``.", max_length=64),
                ),
                (
                    "state_hash",
                    models.CharField(
                        help_text="The engine's own hash of its state.", max_length=64
                    ),
                ),
                (
                    "journal_hash",
                    models.BinaryField(help_text="Hash of the journal row that ends at ``seq``."),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "matching_snapshot",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("shard", "seq"), name="matching_snapshot_shard_seq"
                    )
                ],
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_UNDONE),
    ]
