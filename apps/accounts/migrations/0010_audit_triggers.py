"""What writes the audit trail, and what keeps it from being changed."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_audit_trail")]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_apikeyevent" ("algorithm", "created_at", "expires_at", "id", "name", "networks", "person_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoke_reason", "revoked_at", "scopes", "version") VALUES (NEW."algorithm", NEW."created_at", NEW."expires_at", NEW."id", NEW."name", NEW."networks", NEW."person_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."revoke_reason", NEW."revoked_at", NEW."scopes", NEW."version"); RETURN NULL;',
                    hash="049f17ab83f3ad12de01f4cb6af32ab4fef6955e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_1ed31",
                    table="accounts_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."algorithm" IS DISTINCT FROM (NEW."algorithm") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."networks" IS DISTINCT FROM (NEW."networks") OR OLD."person_id" IS DISTINCT FROM (NEW."person_id") OR OLD."revoke_reason" IS DISTINCT FROM (NEW."revoke_reason") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."scopes" IS DISTINCT FROM (NEW."scopes") OR OLD."version" IS DISTINCT FROM (NEW."version"))',
                    func='INSERT INTO "accounts_apikeyevent" ("algorithm", "created_at", "expires_at", "id", "name", "networks", "person_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoke_reason", "revoked_at", "scopes", "version") VALUES (NEW."algorithm", NEW."created_at", NEW."expires_at", NEW."id", NEW."name", NEW."networks", NEW."person_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."revoke_reason", NEW."revoked_at", NEW."scopes", NEW."version"); RETURN NULL;',
                    hash="12508286eec009a04971d28b0ee29e2c73546615",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_1c34c",
                    table="accounts_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_apikeyevent" ("algorithm", "created_at", "expires_at", "id", "name", "networks", "person_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "revoke_reason", "revoked_at", "scopes", "version") VALUES (OLD."algorithm", OLD."created_at", OLD."expires_at", OLD."id", OLD."name", OLD."networks", OLD."person_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."revoke_reason", OLD."revoked_at", OLD."scopes", OLD."version"); RETURN NULL;',
                    hash="9507f4e44a6fabc0283700199b72dd198e017d19",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_18c5d",
                    table="accounts_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_userevent" ("date_joined", "display_name", "email", "frozen_at", "id", "is_active", "is_staff", "is_superuser", "kyc_tier", "password_is_short", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "security_changed_at", "sessions_epoch") VALUES (NEW."date_joined", NEW."display_name", NEW."email", NEW."frozen_at", NEW."id", NEW."is_active", NEW."is_staff", NEW."is_superuser", NEW."kyc_tier", NEW."password_is_short", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."security_changed_at", NEW."sessions_epoch"); RETURN NULL;',
                    hash="749cdb2411aac28a314a72cb4e46c82eeb25c142",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_3867c",
                    table="accounts_user",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."date_joined" IS DISTINCT FROM (NEW."date_joined") OR OLD."display_name" IS DISTINCT FROM (NEW."display_name") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."frozen_at" IS DISTINCT FROM (NEW."frozen_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_active" IS DISTINCT FROM (NEW."is_active") OR OLD."is_staff" IS DISTINCT FROM (NEW."is_staff") OR OLD."is_superuser" IS DISTINCT FROM (NEW."is_superuser") OR OLD."kyc_tier" IS DISTINCT FROM (NEW."kyc_tier") OR OLD."password_is_short" IS DISTINCT FROM (NEW."password_is_short") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."security_changed_at" IS DISTINCT FROM (NEW."security_changed_at") OR OLD."sessions_epoch" IS DISTINCT FROM (NEW."sessions_epoch"))',
                    func='INSERT INTO "accounts_userevent" ("date_joined", "display_name", "email", "frozen_at", "id", "is_active", "is_staff", "is_superuser", "kyc_tier", "password_is_short", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "security_changed_at", "sessions_epoch") VALUES (NEW."date_joined", NEW."display_name", NEW."email", NEW."frozen_at", NEW."id", NEW."is_active", NEW."is_staff", NEW."is_superuser", NEW."kyc_tier", NEW."password_is_short", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."security_changed_at", NEW."sessions_epoch"); RETURN NULL;',
                    hash="e830073c19cbb4a51218d54cfe985b2c0263451c",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0e890",
                    table="accounts_user",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_userevent" ("date_joined", "display_name", "email", "frozen_at", "id", "is_active", "is_staff", "is_superuser", "kyc_tier", "password_is_short", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "security_changed_at", "sessions_epoch") VALUES (OLD."date_joined", OLD."display_name", OLD."email", OLD."frozen_at", OLD."id", OLD."is_active", OLD."is_staff", OLD."is_superuser", OLD."kyc_tier", OLD."password_is_short", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."security_changed_at", OLD."sessions_epoch"); RETURN NULL;',
                    hash="e2a20c1b618fd73075a5c2515155dbe4643b31bd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_19f14",
                    table="accounts_user",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolepermission",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_rolepermissionevent" ("group_id", "id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."group_id", NEW."id", NEW."permission_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="abf8601b210a310354debb7d5cd36ca5ae78c04c",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_febfb",
                    table="auth_group_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolepermission",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "accounts_rolepermissionevent" ("group_id", "id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."group_id", NEW."id", NEW."permission_id", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="2e4eb1aa61b135dd8505cbe500c72c541c12402d",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_837ed",
                    table="auth_group_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolepermission",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_rolepermissionevent" ("group_id", "id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."group_id", OLD."id", OLD."permission_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="e47df847429796bf22f01394b415607a5a500bad",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_ff00d",
                    table="auth_group_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="roleholder",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_roleholderevent" ("group_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."group_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."user_id"); RETURN NULL;',
                    hash="1ed4fe434469f588125fccd1f07443cc32d626e9",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_beb8c",
                    table="accounts_user_groups",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="roleholder",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "accounts_roleholderevent" ("group_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."group_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."user_id"); RETURN NULL;',
                    hash="ccb58035d2a201fdca05eaf1b44e6585e5c95d42",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0b664",
                    table="accounts_user_groups",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="roleholder",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_roleholderevent" ("group_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (OLD."group_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."user_id"); RETURN NULL;',
                    hash="b3935ceec173071bdc15da8bfb20b18385b7729f",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d2c6c",
                    table="accounts_user_groups",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="role",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_roleevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="edb9c5ee2b319395e7b3494fd7ff4a2a5a9d12ff",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_d9a3a",
                    table="auth_group",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="role",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "accounts_roleevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="235bc1ed208dde83ea06cb9ac110d149d511ff96",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_023a0",
                    table="auth_group",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="role",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_roleevent" ("id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="79edbe51e64677889969fc7076e49ce216600954",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d75a6",
                    table="auth_group",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_ownpermissionevent" ("id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."id", NEW."permission_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."user_id"); RETURN NULL;',
                    hash="07a71e043f90a059131f649eab6ff728fe048168",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_f54cb",
                    table="accounts_user_user_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "accounts_ownpermissionevent" ("id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (NEW."id", NEW."permission_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."user_id"); RETURN NULL;',
                    hash="bb8f821f997591ae2fa5309079f72877901801bb",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_aa0e6",
                    table="accounts_user_user_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownpermission",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "accounts_ownpermissionevent" ("id", "permission_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "user_id") VALUES (OLD."id", OLD."permission_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."user_id"); RETURN NULL;',
                    hash="31550f5f6d6cbfb77b812a66c2bf7df8acba4a4b",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_7d8e7",
                    table="accounts_user_user_permissions",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikeyevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="81decc7750ef48a82b6961d47e10bed8cc804bb5",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_f8804",
                    table="accounts_apikeyevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="userevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="9e9498e73f6fbdf2642fb33fa14189f1ad2382c8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_45b21",
                    table="accounts_userevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolepermissionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="b34fbcc40813c7770dee1192943386e686e8d6aa",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_2943d",
                    table="accounts_rolepermissionevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="roleholderevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="241a4682f6e4c0c52ae246933357070add6565f3",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_1faaf",
                    table="accounts_roleholderevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="roleevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="b564108b8bf5a07512863705a922155d3bbdc3f6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ab9e0",
                    table="accounts_roleevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownpermissionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="3db1c2374c948554a4f184a6508791aa0b22e047",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_cf3ad",
                    table="accounts_ownpermissionevent",
                    when="BEFORE",
                ),
            ),
        ),
    ]
