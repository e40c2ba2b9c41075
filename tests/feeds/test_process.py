"""The process around feed and desk: pacing, outages, what others do meanwhile, and the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import redis
from django.db import OperationalError

from apps.core.errors import Unavailable
from apps.engine.messages import BUY, IOC, CancelAll
from apps.markets.feeds.base import FeedTrade, MarketStep, Step
from apps.matching.journal import Batch, Entry
from apps.trades.liquidity.process import LiquidityProcess, Pacer
from apps.trades.liquidity.watcher import Watcher
from apps.wallets.actions import MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID
from tests.feeds.venue import BTC, Venue, desk_at

BIDS, ASKS = ((9_999, 600_000),), ((10_001, 500_000),)


class ListFeed:
    """Steps from a list; calls ``then`` before each and ends the process after the last."""

    def __init__(self, stop: threading.Event, steps: list[Step]) -> None:
        self.stop = stop
        self.list = steps
        self.before: dict[int, Callable[[], None]] = {}

    @property
    def counters(self) -> Mapping[str, int]:
        return {"listed": len(self.list)}

    def steps(self) -> Iterator[Step]:
        for index, step in enumerate(self.list):
            self.before.get(index, lambda: None)()
            yield step
        self.before.get(len(self.list), lambda: None)()
        self.stop.set()


def step(bids=BIDS, asks=ASKS, trades=()) -> Step:
    return Step(0, (MarketStep(1, bids, asks, tuple(trades)),))


def silent(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
    while not stop.is_set():
        stop.wait(0.01)
        yield None


def make(venue: Venue, feed: ListFeed, follow=silent, shortfalls=lambda: ()) -> LiquidityProcess:
    return LiquidityProcess(
        feed=feed, desk=desk_at(venue), watcher=Watcher(follow), shortfalls=shortfalls
    )


def test_the_feed_is_quoted_and_a_clean_stop_leaves_no_quote_behind():
    venue, stop = Venue(), threading.Event()
    feed = ListFeed(stop, [step(), step(trades=[FeedTrade(10_001, 7, BUY)])])
    seen = []
    feed.before[2] = lambda: seen.append(venue.depth())

    process = make(venue, feed)
    process.run(stop)

    assert seen == [(list(BIDS), list(ASKS))]
    assert venue.depth() == ([], [])
    assert [trade.quantity_lots for trade in venue.tape] == [7]
    assert {c.account_id for c in venue.commands[-2:] if isinstance(c, CancelAll)} == {
        MAKER_ACCOUNT_ID,
        TAKER_ACCOUNT_ID,
    }
    assert process.counters()["listed"] == 2


def test_an_engine_that_is_away_is_waited_for_and_no_step_is_lost():
    venue, stop = Venue(), threading.Event()
    feed = ListFeed(stop, [step(), step(trades=[FeedTrade(10_001, 7, BUY)])])
    seen = []

    def go_away() -> None:
        venue.failures.append(Unavailable("engine_unavailable", "Away."))
        venue.failures.append(Unavailable("engine_busy", "Busy."))

    feed.before[1] = go_away
    feed.before[2] = lambda: seen.append(venue.depth())

    process = make(venue, feed)
    process.run(stop)

    assert seen == [(list(BIDS), list(ASKS))]
    assert [trade.quantity_lots for trade in venue.tape] == [7]
    assert process.counters()["engine_unavailable"] == 1
    assert process.counters()["engine_busy"] == 1
    assert process.counters()["restarts"] == 1


def test_after_an_unknown_outcome_everything_is_cancelled_and_quoted_again():
    venue, stop = Venue(), threading.Event()
    feed = ListFeed(stop, [step(), step(trades=[FeedTrade(10_001, 7, BUY)])])
    seen = []
    feed.before[1] = lambda: setattr(venue, "lost_answers", 1)
    feed.before[2] = lambda: seen.append(venue.depth())

    process = make(venue, feed)
    process.run(stop)

    assert seen == [(list(BIDS), list(ASKS))]
    assert [trade.quantity_lots for trade in venue.tape] == [7]
    assert process.counters()["outcome_unknown"] == 1
    assert process.counters()["restarts"] == 2


def test_what_people_take_between_two_steps_is_quoted_again():
    venue, stop = Venue(), threading.Event()
    later = Step(700_000_000, step().markets)
    feed = ListFeed(stop, [step(), later])
    taken = threading.Event()

    def follow(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
        while not stop.is_set():
            stop.wait(0.01)
            if venue.depth() == (list(BIDS), list(ASKS)) and not taken.is_set():
                taken.set()
                reply = venue.order(BUY, 10_001, 100_000, IOC)
                yield Batch(reply.seq, reply.seq, [Entry(reply.seq, 0, reply.events)])
            yield None

    seen = []
    process = make(venue, feed, follow)
    feed.before[2] = lambda: seen.append((process.counters()["changed_by_others"], venue.depth()))
    process.run(stop)

    assert taken.is_set()
    assert seen == [(1, (list(BIDS), list(ASKS)))]


def test_following_goes_on_after_valkey_or_the_database_was_away():
    stop = threading.Event()
    calls: list[int] = []

    def follow(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
        calls.append(after_seq)
        if len(calls) == 1:
            yield Batch(5, 9, [])
            raise redis.ConnectionError("gone")
        if len(calls) == 2:
            raise OperationalError("gone too")
        stop.set()
        yield None

    watcher = Watcher(follow)
    watcher.start(4, stop)
    watcher.join(10)

    assert calls == [4, 9, 9]
    assert not watcher.alive


def test_short_accounts_are_topped_up_and_an_unreadable_database_is_survived():
    venue, stop = Venue(), threading.Event()
    feed = ListFeed(stop, [step()])
    process = make(venue, feed, shortfalls=lambda: [(TAKER_ACCOUNT_ID, BTC)])
    process.run(stop)
    assert process.counters()["top_ups"] == 1

    def unreadable():
        raise OperationalError("gone")

    venue, stop = Venue(), threading.Event()
    process = make(venue, ListFeed(stop, [step()]), shortfalls=unreadable)
    process.run(stop)
    assert process.counters()["funds_unknown"] == 1
    assert process.counters()["quotes_placed"] == 2


def test_a_stop_during_an_outage_ends_the_process():
    venue, stop = Venue(), threading.Event()
    feed = ListFeed(stop, [step(), step(trades=[FeedTrade(10_001, 7, BUY)])])
    away = [Unavailable("engine_unavailable", "Away.") for _ in range(1_000)]
    feed.before[1] = lambda: venue.failures.extend(away)
    process = make(venue, feed)
    runner = threading.Thread(target=process.run, args=(stop,))

    runner.start()
    while runner.is_alive() and not process.counters().get("engine_unavailable"):
        time.sleep(0.01)
    assert runner.is_alive()
    stop.set()
    runner.join(10)

    assert not runner.is_alive()


def test_the_pacer_keeps_feed_time_and_never_runs_after_lost_time():
    now = [1_000]
    pacer = Pacer(lambda: now[0])

    assert pacer.wait_ns(0) == 0
    assert pacer.wait_ns(500) == 500
    now[0] += 800
    assert pacer.wait_ns(500) == -300
    now[0] += 30_000_000_000
    assert pacer.wait_ns(600) == 0
    assert pacer.wait_ns(700) == 100
