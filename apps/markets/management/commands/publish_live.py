"""`manage.py publish_live`: live market data. A second one waits until the first is gone."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from apps.markets.publisher import Publisher


class Command(BaseCommand):
    help = "Publish books, tapes, candles and tickers as the engine decides them."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Publishing live market data.")
        Publisher(stop).run()
