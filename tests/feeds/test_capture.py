"""A line of a capture is read exactly or refused whole."""

from __future__ import annotations

import pytest

from apps.core.errors import Invalid
from apps.engine.messages import BUY, SELL
from apps.markets.feeds.capture import CaptureReader, Diff, Print, Snapshot, Top
from tests.feeds.captures import BEGIN_NS, BTC, MS, diff, snapshot, top, trade


def test_a_diff_is_read_as_whole_ticks_and_lots():
    event = CaptureReader(BTC).read(
        diff(5, 7, 9, bids=[("61837.63000000", "3.78826000")], asks=[("61837.64", "0.00000000")])
    )

    assert event == Diff(BEGIN_NS + 5 * MS, 7, 9, ((6_183_763, 378_826),), ((6_183_764, 0),))


def test_best_prices_trades_and_snapshots_are_read():
    reader = CaptureReader(BTC)

    assert reader.read(top(1, 3, ("9.99", "0.00001"), ("10.00", "2"))) == Top(
        BEGIN_NS + MS, 3, (999, 1), (1000, 200_000)
    )
    assert reader.read(trade(2, 44, "10.00", "0.5")) == Print(
        BEGIN_NS + 2 * MS, 44, 1000, 50_000, BUY
    )
    assert reader.read(trade(2, 45, "9.99", "0.5", selling=True)) == Print(
        BEGIN_NS + 2 * MS, 45, 999, 50_000, SELL
    )
    assert reader.read(snapshot(3, 8, [("9.99", "1")], [("10.00", "1")])) == Snapshot(
        BEGIN_NS + 3 * MS, 8, ((999, 100_000),), ((1000, 100_000),)
    )


def test_a_level_is_cut_down_to_whole_lots_and_counted():
    reader = CaptureReader(BTC)

    event = reader.read(diff(0, 1, 1, bids=[("100.00", "25.42618900"), ("99.00", "0.00000900")]))

    assert isinstance(event, Diff)
    assert event.bids == ((10_000, 2_542_618), (9_900, 0))
    assert reader.levels_cut == 2


def test_other_symbols_and_other_streams_are_not_ours():
    reader = CaptureReader(BTC)

    assert reader.read(diff(0, 1, 1).replace(b"BTCUSDT", b"ETHUSDT")) is None
    assert reader.read(b'1 {"stream":"btcusdt@kline_1m","data":{"k":1}}') is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"1723161254000000000\n",
        b"yesterday " + trade(0, 1, "1.00", "1"),
        trade(0, 1, "1.00", "1")[:-20],
        b"\xff\xfe" + trade(0, 1, "1.00", "1"),
        b'1 {"neither":"stream nor snapshot"}',
        b'1 {"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":1.5,"q":"1","m":true}}',
        b'1 {"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1.5","m":true}}',
        b'1 {"stream":"btcusdt@trade","data":null}',
        trade(0, 1, "1.001", "1"),
        trade(0, 1, "1.00", "0.000001"),
        trade(0, 1, "1.00", "0"),
        trade(0, 1, "-1.00", "1"),
        trade(0, 1, "1e3", "1"),
        trade(0, 1, "1_000", "1"),
        trade(0, 1, "\u0661", "1"),
        trade(0, 1, "NaN", "1"),
        trade(0, 1, "99999999999999999999", "1"),
        diff(0, 9, 7),
        diff(0, 0, 7),
        diff(0, 1, 2, bids=[("0.00", "1")]),
        diff(0, 1, 2, bids=[("5.00", "1"), ("4.995", "1")]),
        top(0, 1, ("10.00", "1"), ("10.00", "1")),
        top(0, 1, ("9.00", "0"), ("10.00", "1")),
        snapshot(0, 5, [], [("10.00", "1")]),
        snapshot(0, 0, [("9.00", "1")], [("10.00", "1")]),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_in_any_part_is_refused_whole(line):
    with pytest.raises(Invalid) as refusal:
        CaptureReader(BTC).read(line)

    assert refusal.value.code == "broken_line"
