"""What is known of a person's security: last change, freeze, tier; and when a sign-in was proved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_wrong_passwords_and_letters"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="signin",
            name="proved_at",
            field=models.DateTimeField(
                help_text="When password and second factor were last given.", null=True
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="frozen_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Since when its owner has had the account frozen.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="kyc_tier",
            field=models.PositiveSmallIntegerField(
                default=0, editable=False, help_text="How well the person is known: 0 to 3."
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="security_changed_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Last change of password, address or second factors.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="wrong_codes",
            field=models.PositiveSmallIntegerField(
                default=0, editable=False, help_text="Tries since a second factor was last right."
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("kyc_tier__lte", 3)), name="user_kyc_tier_is_known"
            ),
        ),
    ]
