"""Live market data against the engine that it follows: snapshot + deltas = later snapshot."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.realtime.publish import Message
from apps.engine import messages as m
from apps.markets.live import (
    DAY_MINUTES,
    MINUTE_NS,
    Board,
    Day,
    Market,
    Minute,
    OutOfStep,
    Side,
)
from apps.markets.presentation import auction_json
from apps.markets.rules import format_price, format_quantity
from tests.realtime.flows import MARKETS, MIDDLE_TICKS, START_NS, Flow, board_of, instrument


class Client:
    """Keeps every topic the way a browser does: from one snapshot on, by deltas alone."""

    def __init__(self) -> None:
        self.seq: dict[str, int] = {}
        self.state: dict[str, Any] = {}
        self.stored: dict[str, Any] = {}

    def take(self, messages: list[Message]) -> None:
        for message in messages:
            topic = message.topic
            if message.prev is None:
                self.state[topic] = _own_copy(topic, message.data)
                self.stored[topic] = message.data
            else:
                assert message.prev == self.seq[topic] < message.seq
                self._apply(topic, message.data)
                self.stored[topic] = message.snapshot
            self.seq[topic] = message.seq

    def _apply(self, topic: str, data: Any) -> None:
        state = self.state[topic]
        if topic.endswith(".book"):
            for side in ("bids", "asks"):
                for price, quantity in data[side]:
                    state[side][price] = quantity
                    if quantity == "0":
                        del state[side][price]
        elif topic.endswith(".trades"):
            state["trades"] = (state["trades"] + data["trades"])[-50:]
        elif topic.endswith(".ticker"):
            self.state[topic] = data
        else:
            name, by = ("tickers", "market") if topic == "tickers" else ("candles", "at")
            state.update({each[by]: each for each in data[name]})

    def check(self) -> None:
        """What deltas have led to is what a newcomer would get."""
        for topic, stored in self.stored.items():
            expected = _own_copy(topic, stored)
            if topic.endswith("candles.1m"):
                known = self.state[topic]
                assert {at: known[at] for at in expected} == expected
            else:
                assert self.state[topic] == expected


def _own_copy(topic: str, data: Any) -> Any:
    if topic.endswith(".book"):
        return {side: dict(map(tuple, data[side])) for side in ("bids", "asks")}
    if topic.endswith(".trades"):
        return {"trades": list(data["trades"])}
    if topic == "tickers":
        return {each["market"]: each for each in data["tickers"]}
    if topic.endswith(".candles.1m"):
        return {each["at"]: each for each in data["candles"]}
    return data


def _engine_book(flow: Flow, market_id: int) -> dict[str, list[list[str]]]:
    market = instrument(market_id)
    bids, asks = flow.engine.depth(market_id)
    return {
        name: [[format_price(p, market), format_quantity(q, market)] for p, q in levels[:200]]
        for name, levels in (("bids", bids), ("asks", asks))
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 80))
def test_deltas_lead_to_the_later_snapshot_and_to_the_engines_own_book(
    seed: int, steps_before: int
) -> None:
    flow = Flow(seed)
    for _ in range(steps_before):
        flow.step()
    board, client = board_of(flow), Client()
    client.take(board.start_anew(flow.at_ns))

    for number in range(150):
        board.fold(*flow.step())
        if flow.random.random() < 0.3:
            client.take(board.changes())
        if flow.random.random() < 0.1:
            client.take(board.tickers(flow.at_ns))
        if number % 17 == 0:
            client.take(board.tickers_of_all(flow.at_ns))
            client.check()
    client.take([*board.changes(), *board.tickers_of_all(flow.at_ns)])

    client.check()
    for market_id in MARKETS:
        symbol = instrument(market_id).symbol
        assert client.stored[f"market.{symbol}.book"] == _engine_book(flow, market_id)
        phases = {each: phase for each, phase, _ in flow.engine.phases()}
        indicated = {each: row for each, *row in flow.engine.indications()}
        told = auction_json(instrument(market_id), phases[market_id], *indicated[market_id])
        assert client.stored[f"market.{symbol}.ticker"]["auction"] == told


def test_what_an_auction_has_traded_is_told_afterwards() -> None:
    flow = Flow(1)
    board = board_of(flow)
    numbers = iter(range(10**6, 10**7))

    def do(kind: type[m.AnyCommand], *fields: Any) -> None:
        command_id = next(numbers).to_bytes(16, "big")
        board.fold(*flow.apply(kind(command_id, flow.at_ns + 5 * 10**9, *fields)))

    do(m.CallAuction, 1, 60, 1)
    for number, side in enumerate((m.BUY, m.SELL, m.BUY, m.SELL)):
        terms = m.Terms(1, side, m.LIMIT, m.GTC, 2, price_ticks=MIDDLE_TICKS)
        do(m.Place, 1000 + side, f"own-{number}", terms)
    do(m.ReopenMarket, 1)
    flow.at_ns += 10_000_000
    do(m.Tick)

    ticker: Any = board.start_anew(flow.at_ns)[-1].data

    # Two steps of an auction, told as one.
    assert ticker["tickers"][0]["phase"] == "trading"
    assert ticker["tickers"][0]["auction"] is None
    traded = ticker["tickers"][0]["last_auction"]
    assert (traded["price"], traded["quantity"]) == ("100.00", "0.004")


def test_a_start_anew_in_between_replaces_everything() -> None:
    flow = Flow(7)
    board, client = board_of(flow), Client()
    for _ in range(3):
        client.take(board.start_anew(flow.at_ns))
        for _ in range(40):
            board.fold(*flow.step())
            client.take(board.changes())

    client.take(board.tickers_of_all(flow.at_ns))
    client.check()
    assert client.stored["market.BTC-USDT.book"] == _engine_book(flow, 1)


def test_only_the_best_200_levels_are_seen_and_the_next_one_moves_up() -> None:
    side = Side([(price, 5) for price in range(1, 251)], is_bid=True)
    market = instrument(1)
    _, first = side.advance(market)

    side.change(250, -5)
    changed, now = side.advance(market)

    assert len(first) == len(now) == 200
    assert first[0] == ["2.50", "0.005"]
    assert sorted(changed) == [["0.50", "0.005"], ["2.50", "0"]]
    assert side.best() == 249


def test_a_book_that_does_not_fit_the_events_is_given_up() -> None:
    side = Side([(100, 5)], is_bid=True)

    with pytest.raises(OutOfStep):
        side.change(100, -6)
    with pytest.raises(OutOfStep):
        side.change(101, -1)


def test_a_missing_command_is_noticed() -> None:
    flow = Flow(1)
    board = board_of(flow)
    flow.step()
    seq, at_ns, events = flow.step()

    with pytest.raises(OutOfStep):
        board.fold(seq, at_ns, events)


def test_a_new_market_needs_a_new_start() -> None:
    flow = Flow(1)
    board = board_of(flow)
    listed = m.InstrumentListed(m.Instrument(9, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, symbol="NEW-USDT"))

    with pytest.raises(OutOfStep):
        board.fold(flow.engine.seq + 1, flow.at_ns, [listed])


def test_books_and_trades_as_of_different_commands_are_brought_to_one_point() -> None:
    flow = Flow(3)
    whole = board_of(flow)
    history = [flow.step() for _ in range(60)]
    for entry in history[:40]:
        whole.fold(*entry)
    early_seq, late_seq = history[19][0], history[39][0]
    # Books as of the later command, trades as of the earlier: what lies between are trades only.
    markets = {}
    replay = Flow(3)
    for _ in history[:40]:
        replay.step()
    for market_id in MARKETS:
        bids, asks = replay.engine.depth(market_id)
        markets[market_id] = Market(
            instrument(market_id), Side(bids, is_bid=True), Side(asks, is_bid=False),
            Day({}, None), deque(maxlen=50),
        )  # fmt: skip
    board = Board(markets, book_seq=late_seq, trade_seq=early_seq)
    assert board.seq == early_seq
    assert not board.complete

    for entry in history[20:]:
        board.fold(*entry)
    for entry in history[40:]:
        whole.fold(*entry)
    expected, found = Client(), Client()
    expected.take(whole.start_anew(flow.at_ns))
    found.take(board.start_anew(flow.at_ns))

    assert board.complete
    assert found.state["market.BTC-USDT.book"] == expected.state["market.BTC-USDT.book"]
    between = [
        trade
        for trade in expected.state["market.BTC-USDT.trades"]["trades"]
        if trade["seq"] > early_seq
    ]
    assert found.state["market.BTC-USDT.trades"]["trades"] == between


def test_an_auction_that_trades_lag_behind_is_told_of_at_the_start() -> None:
    # Books are as of command 9, what has traded as of 7; the auction was command 8.
    day = Day({START_NS // MINUTE_NS: Minute(100, 150, 90, 120, 10, 1000)}, (120, START_NS))
    market = Market(instrument(1), Side([], is_bid=True), Side([], is_bid=False), day)
    board = Board({1: market}, book_seq=9, trade_seq=7)

    board.fold(8, START_NS, [m.Uncrossed(1, 125, 4, 1, ((m.BUY, 125, 4), (m.SELL, 125, 4)), 6)])
    board.fold(9, START_NS, [])

    reader = Client()
    reader.take(board.start_anew(START_NS))
    traded = reader.state["market.BTC-USDT.ticker"]["last_auction"]
    assert (traded["price"], traded["quantity"]) == ("1.25", "0.006")


def _trade(price_ticks: int, lots: int = 1) -> m.Trade:
    return m.Trade(1, 1, m.BUY, price_ticks, lots, 0, price_ticks * lots, *([0] * 10))


def test_the_ticker_looks_back_24_hours_and_no_further() -> None:
    now = START_NS // MINUTE_NS * MINUTE_NS
    this_minute = now // MINUTE_NS
    minutes = {
        this_minute - DAY_MINUTES: Minute(500, 900, 100, 500, 7, 7),
        this_minute - DAY_MINUTES + 1: Minute(100, 150, 90, 120, 10, 1000),
        this_minute - 5: Minute(120, 130, 110, 110, 5, 500),
    }
    day = Day(minutes, (110, now - 5 * MINUTE_NS))

    day.add(_trade(125, 2), now)
    ticker = day.ticker(instrument(1), now)
    later = day.ticker(instrument(1), now + MINUTE_NS)

    assert (ticker.open_ticks, ticker.high_ticks, ticker.low_ticks) == (100, 150, 90)
    assert (ticker.last_ticks, ticker.volume_lots, ticker.quote_minor) == (125, 17, 1750)
    assert ticker.change_bps == 2500
    assert (later.open_ticks, later.high_ticks, later.volume_lots) == (120, 130, 7)


def test_a_real_trade_replaces_a_synthetic_minute() -> None:
    minute = START_NS // MINUTE_NS
    day = Day({minute: Minute(10, 99, 1, 50, 1000, 1000, synthetic=True)}, (50, START_NS))

    day.add(_trade(40, 3), START_NS)
    day.add(_trade(42, 1), START_NS)

    row = day.candle(minute)
    assert (row.open_ticks, row.high_ticks, row.low_ticks, row.close_ticks) == (40, 42, 40, 42)
    assert row.volume_lots == 4


def test_a_market_that_never_traded_has_no_prices() -> None:
    ticker = Day({}, None).ticker(instrument(1), START_NS)

    assert (ticker.last_ticks, ticker.open_ticks, ticker.change_bps) == (None, None, 0)


def test_in_a_quiet_market_the_24_hours_move_on_without_a_command() -> None:
    board = _quiet_board()
    reader = Client()
    reader.take(board.start_anew(START_NS))
    before = reader.state["market.BTC-USDT.ticker"]

    soon = board.tickers_of_all(START_NS + 23 * 60 * MINUTE_NS)
    reader.take(moved := board.tickers_of_all(START_NS + 24 * 60 * MINUTE_NS))
    after = reader.state["market.BTC-USDT.ticker"]

    assert soon == []
    assert (before["high"], before["volume"], before["change"]) == ("1.50", "0.010", "20.00")
    assert (after["high"], after["low"], after["volume"], after["change"]) == (
        "1.20", "1.20", "0.000", "0.00",
    )  # fmt: skip
    # No command numbers it, so readers get the whole state under the number that they have.
    assert [(each.topic, each.seq, each.prev) for each in moved] == [
        ("market.BTC-USDT.ticker", 7, None), ("tickers", 7, None),
    ]  # fmt: skip
    assert reader.state["tickers"]["BTC-USDT"] == after
    assert board.tickers_of_all(START_NS + 25 * 60 * MINUTE_NS) == []


def test_after_time_alone_has_moved_a_ticker_deltas_go_on_from_it() -> None:
    board = _quiet_board()
    reader = Client()
    reader.take(board.start_anew(START_NS))
    later = START_NS + 24 * 60 * MINUTE_NS
    reader.take(board.tickers_of_all(later))

    board.fold(8, later, [_trade(130, 4)])
    reader.take(told := board.tickers_of_all(later))

    assert [(each.seq, each.prev) for each in told] == [(8, 7), (8, 7)]
    assert reader.state["market.BTC-USDT.ticker"]["last"] == "1.30"
    reader.check()


def _quiet_board() -> Board:
    minute = START_NS // MINUTE_NS
    day = Day({minute: Minute(100, 150, 90, 120, 10, 1000)}, (120, START_NS))
    market = Market(instrument(1), Side([], is_bid=True), Side([(130, 9)], is_bid=False), day)
    return Board({1: market}, book_seq=7, trade_seq=7)
