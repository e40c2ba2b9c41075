"""Registers the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    # The library that signs people in calls its own part Accounts.
    verbose_name = "People"

    def ready(self) -> None:
        from apps.accounts import queries
        from apps.accounts.keys import queries as keys
        from apps.accounts.kyc import actions as kyc
        from apps.accounts.personal import deleting, own_parts
        from apps.core import outbox
        from apps.core.realtime import identity

        identity.watch_sign_ins(queries.ended_sign_ins)
        identity.watch_sign_ins(keys.ended)
        own_parts.register()
        deleting.register()
        outbox.subscribe(kyc.SUBMITTED_TOPIC, "kyc-vendor", kyc.hand_over)
