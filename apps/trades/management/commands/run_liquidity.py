"""`manage.py run_liquidity`: the house makes the markets from a feed."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import close_old_connections

from apps.core.errors import DomainError
from apps.markets.feeds import sources
from apps.markets.feeds.world import MARKETS
from apps.markets.models import Instrument
from apps.matching.follow import follow
from apps.matching.gateway import get_gateway
from apps.trades.liquidity.assembly import assemble

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Command(BaseCommand):
    help = "Quote the feed's books with the house's accounts and repeat its trades."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", type=int, default=None, help="The same seed, the same synthetic market."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        instruments = _wait_for_instruments(stop)
        if not instruments:
            return
        try:
            process = assemble(
                instruments=instruments,
                gateway=get_gateway(),
                follow=follow,
                seed=int(time.time()) if options["seed"] is None else options["seed"],
                captures=settings.REPLAY,
                speed=settings.REPLAY_SPEED,
            )
            self.stdout.write(f"Making markets: {', '.join(i.symbol for i in instruments)}")
            process.run(stop)
        except DomainError as error:
            raise CommandError(f"{error.message} ({error.code})") from None


def _wait_for_instruments(stop: threading.Event) -> list[Instrument]:
    """Return the markets once there are some and no more appear; none means: time to stop."""
    found: list[Instrument] = []
    while not stop.is_set():
        before = len(found)
        try:
            close_old_connections()
            found = sources.fed_instruments()
        except DatabaseError as error:
            logger.warning("The database does not answer yet: %s", error)
        if found and (len(found) == before or len(found) == len(MARKETS)):
            return found
        stop.wait(LOOK_SECONDS)
    return []
