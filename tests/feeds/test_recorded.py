"""The recorded feed: windows, speed, loops, several files, and files that are damaged."""

from __future__ import annotations

import gzip
from itertools import islice

import pytest

from apps.core.errors import Invalid
from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import FeedTrade, MarketStep, Step
from apps.markets.feeds.recorded import BrokenLine, RecordedFeed, parse_speed
from tests.feeds.captures import BTC, diff, small_capture, top, trade, write

GRID = 100_000_000


def test_each_window_with_news_is_one_step(tmp_path):
    path = write(tmp_path / "a.raw.gz", small_capture())

    steps = list(RecordedFeed([path], BTC).steps())

    assert steps == [
        Step(GRID, (MarketStep(
            1,
            ((10_000, 200_000), (9_995, 300_000), (9_990, 100_000)),
            ((10_002, 100_000), (10_003, 250_000), (10_005, 400_000)),
            (), restarted=True,
        ),)),
        Step(2 * GRID, (MarketStep(
            1,
            ((10_000, 200_000), (9_990, 100_000)),
            ((10_002, 60_000), (10_003, 250_000), (10_005, 400_000)),
            (FeedTrade(10_002, 40_000, BUY),),
        ),)),
        Step(3 * GRID, (MarketStep(
            1,
            ((10_002, 50_000), (10_000, 200_000), (9_990, 100_000)),
            ((10_003, 240_000), (10_005, 400_000)),
            (FeedTrade(10_002, 60_000, BUY), FeedTrade(10_003, 10_000, BUY)),
        ),)),
        Step(4 * GRID, (MarketStep(
            1,
            ((10_002, 49_999), (10_000, 200_000), (9_990, 100_000)),
            ((10_003, 240_000), (10_005, 400_000)),
            (FeedTrade(10_002, 1, SELL),),
        ),)),
    ]  # fmt: skip


def test_speed_changes_when_things_happen_and_nothing_else(tmp_path):
    path = write(tmp_path / "a.raw.gz", small_capture())

    slow = list(RecordedFeed([path], BTC, speed_milli=parse_speed("0.5")).steps())
    fast = list(RecordedFeed([path], BTC, speed_milli=parse_speed("1000")).steps())

    assert slow[-1].at_ns == 7 * GRID
    assert [step.at_ns for step in fast] == [GRID]
    for steps in (slow, fast):
        trades = [trade for step in steps for trade in step.markets[0].trades]
        assert [trade.quantity_lots for trade in trades] == [40_000, 60_000, 10_000, 1]
        assert steps[-1].markets[0].bids[0] == (10_002, 49_999)


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "fast", "1001", "0.0001", ""])
def test_a_speed_that_makes_no_sense_is_refused(text):
    with pytest.raises(Invalid):
        parse_speed(text)


def test_a_loop_goes_on_where_the_last_pass_ended_and_says_that_it_restarted(tmp_path):
    path = write(tmp_path / "a.raw.gz", small_capture())
    feed = RecordedFeed([path], BTC, loop=True)

    steps = list(islice(feed.steps(), 12))

    assert [step.at_ns // GRID for step in steps] == list(range(1, 13))
    assert [step.markets[0].restarted for step in steps] == [True, False, False, False] * 3
    assert [step.markets for step in steps[:4]] == [step.markets for step in steps[4:8]]
    assert feed.counters["loops"] == 2
    assert feed.counters["gaps"] == 0


def test_the_book_carries_on_from_one_file_to_the_next(tmp_path):
    lines = small_capture()
    first = write(tmp_path / "a.raw.gz", lines[:6])
    second = write(tmp_path / "b.raw.gz", lines[6:])
    whole = write(tmp_path / "c.raw.gz", lines)

    in_two = list(RecordedFeed([first, second], BTC).steps())
    in_one = list(RecordedFeed([whole], BTC).steps())

    assert in_two == in_one


def test_a_missing_file_between_two_is_a_gap_and_the_feed_resyncs(tmp_path):
    first = write(tmp_path / "a.raw.gz", small_capture())
    later = write(
        tmp_path / "b.raw.gz",
        [
            diff(400, 120, 125, bids=[("99.80", "1")]),
            trade(410, 9, "99.90", "1.5"),
            top(510, 127, ("99.85", "2"), ("99.90", "3")),
        ],
    )
    feed = RecordedFeed([first, later], BTC)

    steps = list(feed.steps())

    assert feed.counters["gaps"] == 1
    assert feed.counters["trade_gaps"] == 1
    assert feed.counters["resyncs_from_top"] == 2
    # Nothing is quoted until the best prices are known; the print stands for itself.
    assert steps[-2].markets == (
        MarketStep(1, (), (), (FeedTrade(9_990, 150_000, BUY),), restarted=True),
    )
    assert steps[-1].markets == (
        MarketStep(1, ((9_985, 200_000), (9_980, 100_000)), ((9_990, 300_000),)),
    )


def test_a_gap_without_prices_is_told_with_the_next_price(tmp_path):
    first = write(tmp_path / "a.raw.gz", small_capture())
    later = write(
        tmp_path / "b.raw.gz",
        [diff(400, 120, 125), top(510, 127, ("99.85", "2"), ("99.90", "3"))],
    )

    steps = list(RecordedFeed([first, later], BTC).steps())

    assert [step.markets[0].restarted for step in steps[-2:]] == [False, True]
    assert steps[-2].markets == (MarketStep(1, (), ()),)


def test_a_broken_line_is_skipped_with_its_number_and_no_part_of_it_applied(tmp_path):
    lines = small_capture()
    good = list(RecordedFeed([write(tmp_path / "a.raw.gz", lines)], BTC).steps())
    half = diff(125, 105, 104 + 10, asks=[("100.02", "0.10"), ("100.03", "oops")])
    feed = RecordedFeed([write(tmp_path / "b.raw.gz", [*lines[:7], half, *lines[7:]])], BTC)

    steps = list(feed.steps())

    assert steps == good
    assert feed.counters["broken"] == 1
    assert [(line.file, line.line) for line in feed.broken] == [("b.raw.gz", 8)]


def test_a_broken_line_stops_the_feed_where_that_is_chosen(tmp_path):
    lines = small_capture()
    path = write(tmp_path / "a.raw.gz", [*lines[:4], b"garbage\n", *lines[4:]])
    feed = RecordedFeed([path], BTC, on_broken="stop")

    with pytest.raises(Invalid) as refusal:
        list(feed.steps())

    assert refusal.value.code == "capture_broken"
    assert refusal.value.data == {"file": "a.raw.gz", "line": 5}
    assert feed.counters["trades"] == 0


def test_a_lost_diff_is_noticed_by_the_next_one(tmp_path):
    lines = small_capture()
    broken = [*lines[:6], lines[6][:40] + b"\n", *lines[7:]]
    feed = RecordedFeed([write(tmp_path / "a.raw.gz", broken)], BTC)

    steps = list(feed.steps())

    assert feed.counters["broken"] == 1
    assert feed.counters["gaps"] == 1
    assert steps[-1].markets[0].restarted is True


@pytest.mark.parametrize("on_broken", ["skip", "stop"])
def test_a_file_that_ends_in_the_middle_is_broken_there(tmp_path, on_broken):
    path = tmp_path / "a.raw.gz"
    whole = gzip.compress(b"".join(small_capture() * 50), compresslevel=1)
    path.write_bytes(whole[: len(whole) * 3 // 4])
    feed = RecordedFeed([path], BTC, on_broken=on_broken)

    if on_broken == "stop":
        with pytest.raises(Invalid, match=r"a\.raw\.gz, line \d+ is broken"):
            list(feed.steps())
    else:
        assert list(feed.steps())
    assert feed.counters["broken"] >= 1
    assert feed.broken[-1].line == feed.counters["lines"] + 1


def test_a_file_that_is_no_gzip_at_all_is_broken_at_its_first_line(tmp_path):
    path = tmp_path / "a.raw.gz"
    path.write_bytes(b"this is not gzip")
    good = write(tmp_path / "b.raw.gz", small_capture())
    feed = RecordedFeed([path, good], BTC)

    steps = list(feed.steps())

    assert len(steps) == 4
    assert [line[:2] for line in feed.broken] == [("a.raw.gz", 1)]


def test_a_capture_may_be_plain_text(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(b"".join(small_capture()))

    assert len(list(RecordedFeed([path], BTC).steps())) == 4


def test_an_endless_line_is_one_broken_line(tmp_path, monkeypatch):
    monkeypatch.setattr("apps.markets.feeds.recorded.LINE_BYTES_MAX", 1000)
    lines = small_capture()
    path = write(tmp_path / "a.raw.gz", [*lines[:2], b"x" * 5000 + b"\n", *lines[2:]])
    feed = RecordedFeed([path], BTC)

    assert len(list(feed.steps())) == 4
    assert feed.broken == [
        BrokenLine("a.raw.gz", 3, "The line does not begin with a time in nanoseconds.")
    ]
    assert feed.counters["lines"] == len(lines) + 1


def test_a_long_pause_between_files_is_cut_short(tmp_path):
    first = write(tmp_path / "a.raw.gz", small_capture())
    later = write(tmp_path / "b.raw.gz", [top(86_400_000, 120, ("99.85", "2"), ("99.90", "3"))])
    feed = RecordedFeed([first, later], BTC)

    steps = list(feed.steps())

    assert steps[-1].at_ns == 104 * GRID
    assert feed.counters["pauses_cut"] == 1


def test_a_clock_set_back_holds_the_feed_still(tmp_path):
    lines = [
        top(0, 1, ("99.85", "2"), ("99.90", "3")),
        top(250, 2, ("99.86", "2"), ("99.90", "3")),
        top(50, 3, ("99.87", "2"), ("99.90", "3")),
        top(360, 4, ("99.88", "2"), ("99.90", "3")),
    ]

    steps = list(RecordedFeed([write(tmp_path / "a.raw.gz", lines)], BTC).steps())

    assert [(step.at_ns // GRID, step.markets[0].bids[0][0]) for step in steps] == [
        (1, 9_985),
        (3, 9_987),
        (4, 9_988),
    ]


def test_trades_that_come_twice_are_printed_once(tmp_path):
    lines = [
        top(0, 1, ("99.85", "2"), ("99.90", "3")),
        trade(10, 5, "99.90", "1"),
        trade(11, 5, "99.90", "1"),
        trade(12, 4, "99.90", "1"),
        trade(13, 6, "99.85", "1", selling=True),
    ]
    feed = RecordedFeed([write(tmp_path / "a.raw.gz", lines)], BTC)

    (step,) = feed.steps()

    assert [trade.taker_side for trade in step.markets[0].trades] == [BUY, SELL]
    assert feed.counters["trades_old"] == 2


def test_missing_and_empty_captures_say_so(tmp_path):
    with pytest.raises(Invalid, match="There is no capture file"):
        RecordedFeed([tmp_path / "nothing.raw.gz"], BTC)
    with pytest.raises(Invalid, match="There is no capture file"):
        RecordedFeed([], BTC)

    empty = RecordedFeed([write(tmp_path / "a.raw.gz", [])], BTC, loop=True)
    with pytest.raises(Invalid) as refusal:
        list(empty.steps())
    assert refusal.value.code == "capture_empty"


def test_the_first_price_is_known_before_the_feed_runs(tmp_path):
    feed = RecordedFeed([write(tmp_path / "a.raw.gz", small_capture())], BTC)

    assert feed.first_middle_ticks() == 10_001
    assert feed.middle_ticks == 0
    list(feed.steps())
    assert feed.middle_ticks == 10_002
