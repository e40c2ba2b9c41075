"""A fee is said beside the leg it is paid in, and no longer an entry of the account that pays it.

The column costs no rewrite: its default is kept in the catalogue. The check is first made for new
rows and then read through for old ones, which needs no lock that a reader or the projector meets;
hence no transaction around the two, and steps that may be taken again. Entries stay as they are:
the projector writes them anew when it next starts.
"""

from django.db import migrations, models

COLUMN_SQL = """
ALTER TABLE wallets_ledgerentry ADD COLUMN IF NOT EXISTS fee_minor bigint NOT NULL DEFAULT 0;
"""
WITHOUT_COLUMN_SQL = "ALTER TABLE wallets_ledgerentry DROP COLUMN IF EXISTS fee_minor;"
# A leg that its fee has eaten up has no former shape, and adds nothing to any sum.
WITHOUT_EMPTY_SQL = "DELETE FROM wallets_ledgerentry WHERE amount_minor = 0;"

CHECK_SQL = """
ALTER TABLE wallets_ledgerentry DROP CONSTRAINT IF EXISTS ledger_entry_moves_something,
    ADD CONSTRAINT ledger_entry_moves_something
    CHECK (fee_minor > 0 OR (fee_minor = 0 AND amount_minor <> 0)) NOT VALID;
"""
FORMER_CHECK_SQL = """
ALTER TABLE wallets_ledgerentry DROP CONSTRAINT IF EXISTS ledger_entry_moves_something,
    ADD CONSTRAINT ledger_entry_moves_something CHECK (amount_minor <> 0) NOT VALID;
"""
VALIDATE_SQL = "ALTER TABLE wallets_ledgerentry VALIDATE CONSTRAINT ledger_entry_moves_something;"
# Entries of the former kind, made before or between, are those of a projection not known.
FORGET_VERSIONS_SQL = "UPDATE matching_projection_offset SET versions = '{}';"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("matching", "0002_projection_versions"),
        ("wallets", "0002_people_from_1000"),
    ]

    operations = [
        migrations.RunSQL(
            COLUMN_SQL,
            [WITHOUT_COLUMN_SQL, VALIDATE_SQL],
            state_operations=[
                migrations.AddField(
                    model_name="ledgerentry",
                    name="fee_minor",
                    field=models.BigIntegerField(
                        db_default=0, help_text="How much of it was a fee that was paid."
                    ),
                ),
                migrations.AlterField(
                    model_name="ledgerentry",
                    name="amount_minor",
                    field=models.BigIntegerField(
                        help_text="By how much available plus held changed."
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            CHECK_SQL,
            FORMER_CHECK_SQL,
            state_operations=[
                migrations.RemoveConstraint(
                    model_name="ledgerentry", name="ledger_entry_moves_something"
                ),
                migrations.AddConstraint(
                    model_name="ledgerentry",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("fee_minor__gt", 0),
                            models.Q(
                                ("fee_minor", 0), models.Q(("amount_minor", 0), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="ledger_entry_moves_something",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(VALIDATE_SQL, WITHOUT_EMPTY_SQL),
        migrations.RunSQL(FORGET_VERSIONS_SQL, migrations.RunSQL.noop),
    ]
