"""Registers the markets app."""

from django.apps import AppConfig

from apps.core import partitions


class MarketsConfig(AppConfig):
    name = "apps.markets"

    def ready(self) -> None:
        partitions.register("markets_trade", "at")
