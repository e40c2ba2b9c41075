"""A recorded market as a feed: capture files read as a stream, one market, at a chosen speed.

Owns files, windows and counting. A broken line is skipped or ends the feed, as the caller
chooses; either way no part of it is applied, and its number is kept.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Literal, NamedTuple, cast

from apps.core.errors import DomainError, Invalid
from apps.core.money import parse_decimal
from apps.markets.feeds.base import (
    DEPTH,
    GRID_NS,
    FeedTrade,
    Levels,
    MarketScale,
    MarketStep,
    Step,
)
from apps.markets.feeds.capture import (
    CaptureEvent,
    CaptureReader,
    Diff,
    Print,
    Snapshot,
    Top,
)
from apps.markets.feeds.rebuilt import RebuiltBook

logger = logging.getLogger(__name__)

LINE_BYTES_MAX: Final = 4_000_000
# Nobody waits longer than this for the next line, however much time lies between two files.
PAUSE_NS_MAX: Final = 10_000_000_000
BROKEN_KEPT_MAX: Final = 20


class BrokenLine(NamedTuple):
    file: str
    line: int
    reason: str


def parse_speed(text: str) -> int:
    """Return the speed in thousandths: ``"2.5"`` is 2500."""
    speed_milli = parse_decimal(text, 3)
    if not 1 <= speed_milli <= 1_000_000:
        raise Invalid("replay_speed", "The replay speed is between 0.001 and 1000.")
    return speed_milli


def read_events(
    paths: Sequence[Path],
    reader: CaptureReader,
    counters: Counter[str],
    broken: list[BrokenLine],
    on_broken: Literal["skip", "stop"],
) -> Iterator[CaptureEvent]:
    """Yield what the files say, in order, one line in memory at a time."""
    for path in paths:
        number = 0
        try:
            for number, line in enumerate(_lines(path), start=1):
                counters["lines"] += 1
                try:
                    event = reader.read(line)
                except DomainError as error:
                    _note_broken(path, number, error.message, counters, broken, on_broken)
                    continue
                if event is None:
                    counters["foreign"] += 1
                else:
                    yield event
        except (EOFError, OSError, zlib.error) as error:
            # What follows a damaged block cannot be read: the rest of this file is one broken line.
            _note_broken(path, number + 1, str(error), counters, broken, on_broken)


def _note_broken(
    path: Path,
    number: int,
    reason: str,
    counters: Counter[str],
    broken: list[BrokenLine],
    on_broken: Literal["skip", "stop"],
) -> None:
    counters["broken"] += 1
    if len(broken) < BROKEN_KEPT_MAX:
        broken.append(BrokenLine(path.name, number, reason))
        logger.warning("%s, line %d is broken: %s", path.name, number, reason)
    if on_broken == "stop":
        raise Invalid(
            "capture_broken",
            f"{path.name}, line {number} is broken: {reason}",
            file=path.name,
            line=number,
        )


def _lines(path: Path) -> Iterator[bytes]:
    with _open(path) as stream:
        while line := stream.readline(LINE_BYTES_MAX):
            if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
                while rest := stream.readline(LINE_BYTES_MAX):
                    if rest.endswith(b"\n"):
                        break
                line = b"longer than any line of a capture"
            yield line


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


class RecordedFeed:
    """Capture files of one market as steps, each of them one window of the grid that had news."""

    def __init__(
        self,
        paths: Sequence[Path],
        scale: MarketScale,
        *,
        speed_milli: int = 1000,
        loop: bool = False,
        on_broken: Literal["skip", "stop"] = "skip",
        depth: int = DEPTH,
        window_ns: int = GRID_NS,
    ) -> None:
        missing = [str(path) for path in paths if not path.is_file()]
        if missing or not paths:
            raise Invalid("capture_missing", f"There is no capture file {', '.join(missing)}.")
        self._paths = tuple(paths)
        self._scale = scale
        self._speed_milli = speed_milli
        self._loop = loop
        self._on_broken = on_broken
        self._depth = depth
        self._window_ns = window_ns
        self._counters: Counter[str] = Counter()
        self.broken: list[BrokenLine] = []
        # Where the market stood at the newest step; zero before the first price.
        self.middle_ticks = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return self._counters

    def steps(self) -> Iterator[Step]:
        """Yield steps; with ``loop`` for ever, each pass beginning where the last one ended."""
        begin_ns = 0
        while True:
            replay = _Pass(self._scale, self._counters, self._depth, self._window_ns)
            for at_ns, event in self._timed_events(begin_ns):
                if at_ns >= replay.window_end_ns:
                    yield from self._noted(replay.close_window(at_ns))
                replay.take(event)
            if replay.window_end_ns == 0:
                raise Invalid("capture_empty", "The capture files hold nothing of this market.")
            begin_ns = replay.window_end_ns
            yield from self._noted(replay.close_window(begin_ns))
            if not self._loop:
                return
            self._counters["loops"] += 1

    def _noted(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            self.middle_ticks = step.markets[0].middle_ticks() or self.middle_ticks
            yield step

    def first_middle_ticks(self) -> int:
        """Return the price that the recording begins at."""
        reader = CaptureReader(self._scale)
        for event in read_events(self._paths, reader, Counter(), [], self._on_broken):
            match event:
                case Top(bid=bid, ask=ask) | Snapshot(bids=(bid, *_), asks=(ask, *_)):
                    return (bid[0] + ask[0]) // 2
                case Print(price_ticks=price_ticks):
                    return price_ticks
        raise Invalid("capture_empty", "The capture files hold nothing of this market.")

    def _timed_events(self, begin_ns: int) -> Iterator[tuple[int, CaptureEvent]]:
        last_ns, feed_ns = -1, begin_ns * self._speed_milli
        reader, counters = CaptureReader(self._scale), self._counters
        for event in read_events(self._paths, reader, counters, self.broken, self._on_broken):
            counters["levels_cut"] = reader.levels_cut
            # A clock that was set back while recording holds the feed still, not back.
            passed_ns = max(event.at_ns - last_ns, 0) if last_ns >= 0 else 0
            if passed_ns > PAUSE_NS_MAX:
                counters["pauses_cut"] += 1
                passed_ns = PAUSE_NS_MAX
            last_ns = max(last_ns, event.at_ns)
            feed_ns += passed_ns * 1000
            yield feed_ns // self._speed_milli, event


class _Pass:
    """One reading of all files: the book, and what has happened in the window that is open."""

    def __init__(
        self, scale: MarketScale, counters: Counter[str], depth: int, window_ns: int
    ) -> None:
        self._market_id = scale.market_id
        self._counters = counters
        self._depth = depth
        self._window_ns = window_ns
        self._book = RebuiltBook(counters)
        self._trades: list[FeedTrade] = []
        self._last_trade_id = 0
        self._shown: tuple[Levels, Levels] | None = None
        self._gaps_shown = 0
        self._restarted = True
        self.window_end_ns = 0

    def close_window(self, at_ns: int) -> Iterator[Step]:
        """Yield the open window if it has news, and open the one that ``at_ns`` falls into."""
        book = self._book
        if book.gaps != self._gaps_shown:
            self._gaps_shown, self._restarted = book.gaps, True
        shown = book.levels(self._depth)
        if self.window_end_ns and (self._trades or shown != self._shown):
            # A restart counts as told only once there is a price to restart from.
            told = bool(shown[0] and shown[1]) or bool(self._trades)
            market = MarketStep(
                self._market_id, *shown, tuple(self._trades), self._restarted and told
            )
            self._shown, self._trades = shown, []
            self._restarted = self._restarted and not told
            self._counters["steps"] += 1
            yield Step(self.window_end_ns, (market,))
        self.window_end_ns = (at_ns // self._window_ns + 1) * self._window_ns

    def take(self, event: CaptureEvent) -> None:
        match event:
            case Diff():
                self._book.put_diff(event)
            case Top():
                self._book.put_top(event)
            case Snapshot():
                self._book.put_snapshot(event)
            case Print():
                self._take_print(event)

    def _take_print(self, event: Print) -> None:
        if event.trade_id <= self._last_trade_id:
            self._counters["trades_old"] += 1
            return
        if self._last_trade_id and event.trade_id > self._last_trade_id + 1:
            self._counters["trade_gaps"] += 1
        self._last_trade_id = event.trade_id
        self._counters["trades"] += 1
        self._trades.append(FeedTrade(event.price_ticks, event.quantity_lots, event.taker_side))
