"""`manage.py demo`: the demo world, made once and completed where something is missing."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.errors import Unavailable
from apps.local.demo import build_demo_world

# The engine may be starting at this moment, or recovering a long journal.
PATIENCE_SECONDS = 120.0


class Command(BaseCommand):
    help = "List the demo markets, open and fund the demo accounts, write candle history."
    requires_system_checks = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._said: set[str] = set()

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is not a demo installation: set DEMO=1 to make it one.")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._built(deadline):
            time.sleep(0.2)
        call_command("seed_history", days=settings.DEMO_HISTORY_DAYS, stdout=self.stdout)

    def _built(self, deadline: float) -> bool:
        try:
            build_demo_world(now=clock.now(), say=self._say_once)
        except Unavailable as failure:
            # All of it may be done again, also what was sent and not answered.
            if time.monotonic() > deadline:
                raise CommandError(f"The engine does not answer: {failure.message}") from None
            return False
        return True

    def _say_once(self, step: str) -> None:
        if step not in self._said:
            self._said.add(step)
            self.stdout.write(step)
