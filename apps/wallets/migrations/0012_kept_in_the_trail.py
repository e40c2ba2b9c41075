"""Who changes limits, address rules or decisions about withdrawals is kept, whoever and however.

Of a withdrawal only what somebody decides is kept; its confirmations count up by themselves. The
steps and the agreements of one are its own history: they are added, and a step never changes.
"""

from django.db import migrations

_KEPT = """
    CREATE TRIGGER {name}_kept AFTER INSERT OR UPDATE OR DELETE ON {name}
    FOR EACH ROW EXECUTE FUNCTION core_keep_row()
"""
_WITHDRAWALS = """
    CREATE TRIGGER wallets_withdrawal_kept AFTER UPDATE ON wallets_withdrawal FOR EACH ROW
    WHEN ((OLD.state, OLD.ends_as, OLD.reason, OLD.amount_minor, OLD.asset_id, OLD.account_id,
           OLD.owner_id, OLD.chain, OLD.address, OLD.approvals_needed, OLD.marked_at)
          IS DISTINCT FROM
          (NEW.state, NEW.ends_as, NEW.reason, NEW.amount_minor, NEW.asset_id, NEW.account_id,
           NEW.owner_id, NEW.chain, NEW.address, NEW.approvals_needed, NEW.marked_at))
    EXECUTE FUNCTION core_keep_row();
    CREATE TRIGGER wallets_withdrawal_removal_kept AFTER DELETE ON wallets_withdrawal
    FOR EACH ROW EXECUTE FUNCTION core_keep_row();
    CREATE FUNCTION wallets_step_is_fixed() RETURNS trigger AS $$
    BEGIN
        RAISE EXCEPTION 'Cannot change or remove what happened in %', TG_TABLE_NAME;
    END
    $$ LANGUAGE plpgsql;
    CREATE TRIGGER withdrawal_step_is_fixed BEFORE UPDATE OR DELETE ON wallets_withdrawalstep
    FOR EACH ROW EXECUTE FUNCTION wallets_step_is_fixed();
"""
_WITHOUT = """
    DROP TRIGGER withdrawal_step_is_fixed ON wallets_withdrawalstep;
    DROP FUNCTION wallets_step_is_fixed();
    DROP TRIGGER wallets_withdrawal_removal_kept ON wallets_withdrawal;
    DROP TRIGGER wallets_withdrawal_kept ON wallets_withdrawal;
"""
TABLES = (
    "wallets_withdrawallimit",
    "wallets_withdrawalpolicy",
    "wallets_withdrawaladdress",
    "wallets_withdrawalapproval",
)


class Migration(migrations.Migration):
    dependencies = [("wallets", "0011_ledger_for_staff"), ("core", "0004_kept_without_secrets")]

    operations = [
        *(
            migrations.RunSQL(_KEPT.format(name=name), f"DROP TRIGGER {name}_kept ON {name}")
            for name in TABLES
        ),
        migrations.RunSQL(_WITHDRAWALS, _WITHOUT),
    ]
