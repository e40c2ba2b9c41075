"""Registers the core app, and refuses to start with keys that cannot be used."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        from django.conf import settings

        from apps.core import crypto

        crypto.check_keys(settings.FIELD_KEYS)
