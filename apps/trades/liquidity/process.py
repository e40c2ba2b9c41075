"""The liquidity process: lets a feed's time pass and keeps the desk at work, whatever fails.

While the engine is away the feed stands still and is not made up for afterwards. A clean stop takes
all quotes off the books, so that no price rests that nobody looks after.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.db import Error as DatabaseError

from apps.core.errors import Unavailable
from apps.markets.feeds.base import Feed
from apps.trades.liquidity.desk import Desk
from apps.trades.liquidity.watcher import Watcher

logger = logging.getLogger(__name__)

SECOND_NS: Final = 1_000_000_000
# Behind by more than this, the feed goes on from where it is instead of running after the time.
LAG_NS_MAX: Final = SECOND_NS
# Between steps the desk looks this often whether others have traded with it.
LOOK_SECONDS: Final = 0.2
BACK_OFF_SECONDS, BACK_OFF_SECONDS_MAX = 0.1, 2.0
FUNDING_SECONDS: Final = 30.0
REPORT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 2.0


class Pacer:
    """Maps feed time to the clock."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._start_ns: int | None = None

    def wait_ns(self, at_ns: int) -> int:
        """Return how long it is until the step at ``at_ns`` is due; zero or less means now."""
        now_ns = self._clock_ns()
        if self._start_ns is None or now_ns - self._start_ns - at_ns > LAG_NS_MAX:
            self._start_ns = now_ns - at_ns
        return self._start_ns + at_ns - now_ns


class LiquidityProcess:
    """Runs until it is told to stop; only a bug or a broken feed ends it otherwise."""

    def __init__(
        self,
        *,
        feed: Feed,
        desk: Desk,
        watcher: Watcher,
        shortfalls: Callable[[], Iterable[tuple[int, int]]],
        pacer: Pacer | None = None,
    ) -> None:
        self._feed = feed
        self._desk = desk
        self._watcher = watcher
        self._shortfalls = shortfalls
        self._pacer = pacer or Pacer()
        self._fund_at = 0.0
        self._report_at = time.monotonic() + REPORT_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Quote and trade until ``stop``, then leave the books."""
        try:
            if not self._work(stop):
                return
            self._watcher.start(self._desk.last_seq, stop)
            for step in self._feed.steps():
                if not self._wait_for(step.at_ns, stop):
                    return
                self._desk.take_step(step)
                if not self._work(stop):
                    return
        finally:
            self._leave()

    def counters(self) -> Mapping[str, int]:
        """Return what feed and desk have counted."""
        return {**self._feed.counters, **self._desk.counters}

    def _wait_for(self, at_ns: int, stop: threading.Event) -> bool:
        """Wait until the step is due, mending quotes meanwhile; false means stop."""
        while not stop.is_set():
            seconds = self._pacer.wait_ns(at_ns) / SECOND_NS
            if seconds <= 0:
                return True
            if seconds <= LOOK_SECONDS:
                stop.wait(seconds)
            else:
                stop.wait(LOOK_SECONDS)
                self._look()
                if self._desk.due and not self._work(stop):
                    return False
        return False

    def _work(self, stop: threading.Event) -> bool:
        """Do what is due, again and again until it is done; false means stop."""
        back_off = BACK_OFF_SECONDS
        while not stop.is_set():
            try:
                self._look()
                if self._desk.lost:
                    self._desk.restart()
                self._desk.work()
            except Unavailable as error:
                if back_off == BACK_OFF_SECONDS:
                    logger.warning("%s (%s)", error.message, error.code)
                self._desk.counters[error.code] += 1
            else:
                if not self._desk.lost:
                    return True
            stop.wait(back_off)
            back_off = min(back_off * 2, BACK_OFF_SECONDS_MAX)
        return False

    def _look(self) -> None:
        for events in self._watcher.take():
            self._desk.observe(events)
        now = time.monotonic()
        if now >= self._fund_at:
            self._fund_at = now + FUNDING_SECONDS
            self._look_at_funds()
        if now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            logger.info("%s", _in_words(self.counters()))

    def _look_at_funds(self) -> None:
        try:
            for account_id, asset_id in self._shortfalls():
                self._desk.fund(account_id, asset_id)
        except DatabaseError as error:
            self._desk.counters["funds_unknown"] += 1
            logger.warning("The house's balances cannot be read now: %s", error)

    def _leave(self) -> None:
        try:
            self._desk.cancel_everything(STOP_TIMEOUT_SECONDS)
        except Unavailable as error:
            logger.warning("The house's quotes may still stand: %s", error.message)
        logger.info("%s", _in_words(self.counters()))


def _in_words(counters: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counters.items()) if count)
