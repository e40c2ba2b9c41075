"""The real capture: the rebuilt book against every best price, and the engine's book and tape.

The rules by which they are compared are in ``docs/liquidity.md``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from pathlib import Path

import pytest

from apps.markets.feeds.capture import CaptureEvent, CaptureReader, Diff, Print, Snapshot, Top
from apps.markets.feeds.rebuilt import RebuiltBook
from apps.markets.feeds.recorded import RecordedFeed, read_events
from tests.feeds.captures import BTC
from tests.feeds.venue import Venue, desk_at

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CAPTURES = [
    DATA / "binance-spot-btcusdt-20240808.raw.gz",
    DATA / "binance-spot-btcusdt-20240809.raw.gz",
]

pytestmark = pytest.mark.skipif(
    not all(path.is_file() for path in CAPTURES),
    reason="the real captures are not there: ../shared/data/binance-spot-btcusdt-*.raw.gz",
)


@pytest.fixture(scope="module")
def events() -> list[CaptureEvent]:
    return list(read_events(CAPTURES, CaptureReader(BTC), Counter(), [], "stop"))


def test_the_diffs_alone_give_the_best_prices_of_the_capture(events):
    """After each diff ending at update u: the newest best price with an update id up to u.

    Best prices are told once per matching event, which may span several update ids. A diff that
    ends inside such an event has lost a level of the best price before: that happens twice.
    """
    tops = sorted((event for event in events if isinstance(event, Top)), key=lambda t: t.update_id)
    ids = [top.update_id for top in tops]
    counters: Counter[str] = Counter()
    book = RebuiltBook(counters)
    equal, inside = 0, []
    for event in events:
        if isinstance(event, Snapshot):
            book.put_snapshot(event)
        elif isinstance(event, Diff):
            book.put_diff(event)
            if not book.anchored:
                continue
            top = tops[bisect_right(ids, book.last_id) - 1]
            (bid,), (ask,) = book.levels(1)
            if (bid, ask) == (top.bid, top.ask):
                equal += 1
            else:
                assert ask == top.ask
                assert bid[0] < top.bid[0]
                inside.append(book.last_id)

    assert equal == 6_490
    assert inside == [50_093_478_174, 50_093_480_542]
    assert counters == {"diffs": 6_495, "snapshots": 1}


def test_the_rebuilt_book_equals_every_best_price_when_it_is_told(events):
    counters: Counter[str] = Counter()
    book = RebuiltBook(counters)
    tops = 0
    for event in events:
        if isinstance(event, Snapshot):
            book.put_snapshot(event)
        elif isinstance(event, Diff):
            book.put_diff(event)
        elif isinstance(event, Top):
            book.put_top(event)
            assert book.levels(1) == ((event.bid,), (event.ask,))
            tops += 1

    assert tops == 73_174
    assert counters["gaps"] == counters["crossed"] == counters["tops_old"] == 0


def test_our_own_book_and_tape_follow_the_capture(events):
    """After each 100 ms window: twenty levels a side, and all prints, by the real engine."""
    venue = Venue()
    desk = desk_at(venue)
    feed = RecordedFeed(CAPTURES, BTC, on_broken="stop")
    told = _ToldPrices(events)
    compared = compared_with_told = 0

    for step in feed.steps():
        desk.take_step(step)
        desk.work()
        (market,) = step.markets
        bids, asks = venue.depth()
        assert (tuple(bids), tuple(asks)) == (market.bids, market.asks)
        compared += 1
        top = told.by(step.at_ns)
        if top is not None and bids:
            assert (bids[0], asks[0]) == (top.bid, top.ask)
            compared_with_told += 1

    assert compared == 6_267
    assert compared_with_told == 4_728
    prints = [event for event in events if isinstance(event, Print)]
    assert len(prints) == 19_904
    assert [(trade.price_ticks, trade.quantity_lots, trade.taker_side) for trade in venue.tape] == [
        (event.price_ticks, event.quantity_lots, event.taker_side) for event in prints
    ]
    assert not [name for name in desk.counters if name.startswith("rejected")]
    assert desk.counters["prints_short"] == 0


class _ToldPrices:
    """The best prices straight from the capture, without book or windows."""

    def __init__(self, events: list[CaptureEvent]) -> None:
        begin_ns = events[0].at_ns
        self._tops = [event for event in events if isinstance(event, Top)]
        self._top_times = [top.at_ns - begin_ns for top in self._tops]
        self._diffs = [event for event in events if isinstance(event, Diff)]
        self._diff_times = [diff.at_ns - begin_ns for diff in self._diffs]

    def by(self, at_ns: int) -> Top | None:
        """Return the newest best price before the time, unless a newer diff has overtaken it."""
        index = bisect_right(self._top_times, at_ns - 1) - 1
        overtaking = bisect_right(self._diff_times, at_ns - 1) - 1
        if index < 0:
            return None
        top = self._tops[index]
        return None if self._diffs[overtaking].last_id > top.update_id else top
