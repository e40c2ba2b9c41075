"""Registers the markets app."""

from django.apps import AppConfig

from apps.core import partitions
from apps.matching import projections


class MarketsConfig(AppConfig):
    name = "apps.markets"

    def ready(self) -> None:
        from apps.markets import realtime
        from apps.markets.projections import MarketsProjection

        partitions.register("markets_trade", "at")
        projections.register(MarketsProjection())
        realtime.register()
