"""The projector's process."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.matching.journal import CorruptJournal
from apps.matching.projector import OffsetMoved, Projector


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Writes the engine's decisions into the tables that people read, until it is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Projecting.")
        try:
            Projector(stop).run()
        except (OffsetMoved, CorruptJournal) as error:
            raise CommandError(f"Projecting has stopped: {error}") from error
