"""`manage.py seed_history`: synthetic candles for the time in which nobody traded."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import clock
from apps.core.errors import DomainError
from apps.markets.feeds import sources
from apps.markets.feeds.seeding import HISTORY_DAYS, seed_history
from apps.markets.feeds.world import MARKETS
from apps.markets.models import Instrument

PATIENCE_SECONDS = 10.0


class Command(BaseCommand):
    help = "Write 60 days of synthetic candles, or what is missing since the last one."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=HISTORY_DAYS)
        parser.add_argument("--seed", type=int, default=None, help="The same seed, the same past.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= 400:
            raise CommandError("The history has between 1 and 400 days.")
        instruments = _wait_for_instruments()
        if not instruments:
            raise CommandError("No market is listed yet.")
        started = time.monotonic()
        try:
            replay = sources.open_replay(instruments, settings.REPLAY)
            replay_ticks = replay.first_middle_ticks() if replay is not None else 0
        except DomainError as error:
            raise CommandError(error.message) from None
        count = seed_history(
            instruments=instruments,
            now=clock.now(),
            replay_ticks=replay_ticks,
            days=options["days"],
            seed=options["seed"],
        )
        seconds = time.monotonic() - started
        self.stdout.write(f"{count} synthetic candles written in {seconds:.1f} s")


def _wait_for_instruments() -> list[Instrument]:
    """Return the markets; those just listed appear when the projector has written them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        instruments = sources.fed_instruments()
        if len(instruments) == len(MARKETS) or time.monotonic() > deadline:
            return instruments
        time.sleep(0.1)
