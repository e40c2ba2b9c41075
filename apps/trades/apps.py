"""Registers the trades app."""

from django.apps import AppConfig

from apps.core import partitions


class TradesConfig(AppConfig):
    name = "apps.trades"

    def ready(self) -> None:
        partitions.register("trades_order", "created_at")
        partitions.register("trades_fill", "at")
