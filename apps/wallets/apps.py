"""Registers the wallets app."""

from django.apps import AppConfig

from apps.core import partitions


class WalletsConfig(AppConfig):
    name = "apps.wallets"

    def ready(self) -> None:
        partitions.register("wallets_ledgerentry", "at")
