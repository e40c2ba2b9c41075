"""Registers the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        from apps.accounts import queries
        from apps.core.realtime import identity

        identity.watch_sign_ins(queries.ended_sign_ins)
