"""The tape, candles, tickers and sparklines: what trades make of them, and in how many queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core import clock
from apps.core.errors import Invalid, NotFound
from apps.engine.messages import BUY, SELL, Trade
from apps.markets.models import Candle, Instrument
from apps.markets.models import Trade as TapeTrade
from apps.markets.presentation import candle_json, instrument_json, ticker_json, trade_json
from apps.markets.projections import MarketsProjection
from apps.markets.queries import (
    candles,
    closing_prices,
    instrument_by_symbol,
    recent_trades,
    sparkline,
    ticker,
    tickers,
    visible_instruments,
)
from apps.matching.journal import Batch, Entry
from tests.factories import listed, trader

NOON = datetime(2026, 11, 19, 12, 0, tzinfo=UTC)  # A Thursday.
MINUTE = timedelta(minutes=1)


def minute(
    instrument: Instrument, at: datetime, *prices: int, lots: int = 1, synthetic: bool = False
) -> Candle:
    """A stored minute that opened, ... and closed at these prices."""
    return Candle.objects.create(
        instrument=instrument, at=at, open_ticks=prices[0], close_ticks=prices[-1],
        high_ticks=max(prices), low_ticks=min(prices), volume_lots=lots, quote_minor=lots * 10,
        trade_count=len(prices), synthetic=synthetic,
    )  # fmt: skip


def trade(number: int, price: int, lots: int, market_id: int = 1, side: int = BUY) -> Trade:
    return Trade(
        number, market_id, side, price, lots, lots * 1000, price * lots * 10,
        1, 10, 0, 0, 0, 2, 11, 0, 0, 0,
    )  # fmt: skip


def project(*entries: tuple[datetime, list[Trade]], first_seq: int = 1) -> None:
    found = [
        Entry(first_seq + number, clock.to_ns(at), tuple(events))
        for number, (at, events) in enumerate(entries)
    ]
    with connection.cursor() as wrapper:
        MarketsProjection().apply(Batch(first_seq, found[-1].seq, found), wrapper.cursor)


def test_trades_make_the_tape_and_minutes() -> None:
    instrument = listed()

    project(
        (NOON, [trade(1, 100, 5), trade(2, 103, 1)]),
        (NOON + timedelta(seconds=59), [trade(3, 99, 2, side=SELL)]),
        (NOON + MINUTE, [trade(4, 101, 4)]),
    )
    project((NOON + MINUTE + timedelta(seconds=1), [trade(5, 98, 1)]), first_seq=4)

    assert [
        (row.at, row.open_ticks, row.high_ticks, row.low_ticks, row.close_ticks, row.volume_lots,
         row.quote_minor)
        for row in candles(instrument=instrument, interval="1m", end=NOON + timedelta(hours=1))
    ] == [
        (NOON, 100, 103, 99, 99, 8, 8010),
        (NOON + MINUTE, 101, 101, 98, 98, 5, 5020),
    ]  # fmt: skip
    assert [row.trade_count for row in Candle.objects.order_by("at")] == [3, 2]
    newest = recent_trades(instrument=instrument, limit=2)
    assert [row.id for row in newest] == [5, 4]
    assert [row.id for row in recent_trades(instrument=instrument, before_id="4")] == [3, 2, 1]
    assert trade_json(TapeTrade.objects.get(id=3), instrument) == {
        "id": "3", "price": "0.99", "quantity": "0.00002", "side": "sell",
        "at": "2026-11-19T12:00:59Z", "seq": 2,
    }  # fmt: skip


def test_real_trades_replace_synthetic_minutes_and_nothing_else() -> None:
    instrument = listed()
    minute(instrument, NOON, 50, 60, 40, 55, lots=999, synthetic=True)
    minute(instrument, NOON + MINUTE, 50, 60, 40, 55, lots=999, synthetic=True)

    project((NOON, [trade(1, 100, 5)]))

    real, synthetic = Candle.objects.order_by("at")
    assert (real.open_ticks, real.low_ticks, real.volume_lots, real.trade_count) == (100, 100, 5, 1)
    assert (real.synthetic, synthetic.synthetic) == (False, True)
    assert synthetic.volume_lots == 999


def test_minutes_roll_up_into_every_interval() -> None:
    instrument = listed()
    for number in range(180):
        minute(instrument, NOON + number * MINUTE, 1000 + number, 1001 + number, lots=number)
    end = NOON + timedelta(days=30)

    def rolled(interval: str) -> list[tuple[Any, ...]]:
        return [
            (row.at, row.open_ticks, row.high_ticks, row.low_ticks, row.close_ticks,
             row.volume_lots, row.quote_minor)
            for row in candles(instrument=instrument, interval=interval, end=end, limit=1500)
        ]  # fmt: skip

    five = rolled("5m")
    assert len(five) == 36
    assert five[1] == (NOON + 5 * MINUTE, 1005, 1010, 1005, 1010, 5 + 6 + 7 + 8 + 9, 350)
    assert [row[0] for row in rolled("1h")] == [NOON + timedelta(hours=h) for h in range(3)]
    assert rolled("4h") == [(NOON, 1000, 1180, 1000, 1180, 16_110, 161_100)]
    assert rolled("1d")[0][0] == NOON.replace(hour=0)
    # Weeks begin on Monday.
    assert rolled("1w")[0][0] == datetime(2026, 11, 16, tzinfo=UTC)


def test_candles_are_those_that_begin_in_the_time_asked_for() -> None:
    instrument = listed()
    for number in range(60):
        minute(instrument, NOON + number * MINUTE, 1000 + number)

    def begins(**asked: Any) -> list[int]:
        found = candles(instrument=instrument, interval="15m", **asked)
        return [(row.at - NOON) // MINUTE for row in found]

    late = NOON + timedelta(hours=2)
    assert begins(end=late) == [0, 15, 30, 45]
    assert begins(start=NOON + 15 * MINUTE, end=late) == [15, 30, 45]
    assert begins(start=NOON + 16 * MINUTE, end=late) == [30, 45]
    assert begins(end=NOON + 30 * MINUTE) == [0, 15]
    # The candle that begins at 12:30 is whole, although the end lies within it.
    partly = candles(instrument=instrument, interval="15m", end=NOON + 31 * MINUTE)
    assert (partly[-1].at, partly[-1].close_ticks) == (NOON + 30 * MINUTE, 1044)
    assert begins(end=NOON + 60 * MINUTE, limit=2) == [30, 45]


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"interval": "2m"}, "invalid_interval"), ({"interval": "1m", "limit": 0}, "invalid_limit"),
     ({"interval": "1m", "limit": 1501}, "invalid_limit")],
)  # fmt: skip
def test_candles_are_bounded(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        candles(instrument=listed(), **asked)

    assert refused.value.code == code


def test_a_ticker_sums_the_last_24_hours() -> None:
    instrument = listed()
    minute(instrument, NOON - timedelta(hours=24), 1, 9999, lots=100)
    minute(instrument, NOON - timedelta(hours=24) + MINUTE, 1000, 1100, 900, 1000, lots=7)
    minute(instrument, NOON - timedelta(hours=1), 1000, 1210, lots=5)
    project((NOON, [trade(1, 1150, 3)]))

    found = ticker(instrument=instrument, now=NOON + timedelta(seconds=30))

    assert ticker_json(found, bid_ticks=1149, ask_ticks=1151) == {
        "market": "BTC-USDT", "last": "11.50", "open": "10.00", "high": "12.10", "low": "9.00",
        "change": "15.00", "volume": "0.00015", "quote_volume": "0.0003462", "bid": "11.49",
        "ask": "11.51", "at": "2026-11-19T12:00:00Z", "phase": "trading", "phase_until": None,
        "auction": None, "last_auction": None,
    }  # fmt: skip


def test_a_quiet_markets_ticker_moves_on_with_time() -> None:
    instrument = listed()
    minute(instrument, NOON, 1000, 1100, 900, 1050, lots=7)

    last_minute = ticker(instrument=instrument, now=NOON + timedelta(hours=24) - MINUTE)
    a_day_later = ticker(instrument=instrument, now=NOON + timedelta(hours=24))

    assert (last_minute.high_ticks, last_minute.low_ticks) == (1100, 900)
    assert (last_minute.volume_lots, last_minute.change_bps) == (7, 500)
    assert (a_day_later.last_ticks, a_day_later.high_ticks, a_day_later.low_ticks) == (
        1050, 1050, 1050,
    )  # fmt: skip
    assert (a_day_later.volume_lots, a_day_later.change_bps) == (0, 0)


def test_a_market_that_never_traded_has_a_ticker_without_prices() -> None:
    found = ticker(instrument=listed(), now=NOON)

    assert ticker_json(found) == {
        "market": "BTC-USDT", "last": None, "open": None, "high": None, "low": None,
        "change": "0.00", "volume": "0.00000", "quote_volume": "0.00", "bid": None, "ask": None,
        "at": None, "phase": "trading", "phase_until": None,
        "auction": None, "last_auction": None,
    }  # fmt: skip


def test_a_market_that_did_not_trade_today_keeps_its_last_price() -> None:
    instrument = listed()
    minute(instrument, NOON - timedelta(days=3), 1000, 1234, synthetic=True)

    found = ticker(instrument=instrument, now=NOON)

    assert (found.last_ticks, found.open_ticks, found.change_bps) == (1234, 1234, 0)
    assert (found.volume_lots, found.at) == (0, NOON - timedelta(days=3))


def test_a_sparkline_has_one_price_per_hour_and_carries_on_over_gaps() -> None:
    instrument, silent = listed(), listed("ETH-USDT")
    minute(instrument, NOON - timedelta(hours=20), 1000, 1001)
    minute(instrument, NOON - timedelta(hours=2, minutes=1), 1000, 1005)
    minute(instrument, NOON - MINUTE, 1000, 1009)

    found = sparkline(instruments=[instrument, silent], now=NOON)

    assert found == {instrument.id: [1001] * 17 + [1005, 1005, 1009], silent.id: []}
    assert len(found[instrument.id]) == 20


def test_lists_of_markets_cost_two_queries(django_assert_num_queries: Any) -> None:
    instruments = [listed(symbol) for symbol in ("BTC-USDT", "ETH-USDT", "ETH-BTC")]

    with django_assert_num_queries(2):
        assert [row.instrument.symbol for row in tickers()] == [row.symbol for row in instruments]
    with django_assert_num_queries(1):
        sparkline(instruments=instruments)
    with django_assert_num_queries(1):
        assert [instrument_json(row)["symbol"] for row in visible_instruments()] == [
            "BTC-USDT", "ETH-USDT", "ETH-BTC",
        ]  # fmt: skip
    with django_assert_num_queries(1):
        candles(instrument=instruments[0], interval="1h")
    with django_assert_num_queries(1):
        [trade_json(row, instruments[0]) for row in recent_trades(instrument=instruments[0])]


def test_a_market_is_found_in_any_case_and_nothing_else_is() -> None:
    instrument = listed()

    assert instrument_by_symbol("btc-usdt") == instrument
    for symbol in ("BTC-XXX", "", "BTC-USDT ", "BTC\x00USDT", "x" * 300, "ﬁ"):
        with pytest.raises(NotFound) as refused:
            instrument_by_symbol(symbol)
        assert refused.value.code == "unknown_market"


def test_candle_json_is_decimal_text() -> None:
    instrument = listed()
    minute(instrument, NOON, 6_000_000, 6_000_100, lots=5)

    (row,) = candles(instrument=instrument, interval="1m", end=NOON + MINUTE)

    assert candle_json(row, instrument) == {
        "at": "2026-11-19T12:00:00Z", "open": "60000.00", "high": "60001.00", "low": "60000.00",
        "close": "60001.00", "volume": "0.00005", "quote_volume": "0.0000005",
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"low_ticks": 101}, {"high_ticks": 99}, {"low_ticks": 0}, {"volume_lots": -1},
     {"close_ticks": 200}],
)  # fmt: skip
def test_the_database_refuses_candles_that_cannot_be(wrong: dict[str, int]) -> None:
    instrument = listed()
    fields = {"open_ticks": 100, "high_ticks": 100, "low_ticks": 100, "close_ticks": 100,
              "volume_lots": 1, "quote_minor": 1, "trade_count": 1}  # fmt: skip

    with pytest.raises(IntegrityError), transaction.atomic():
        Candle.objects.create(instrument=instrument, at=NOON, **{**fields, **wrong})

    assert not Candle.objects.exists()


def test_a_real_trade_reaches_tape_candle_and_ticker() -> None:
    instrument = listed()
    ada, bob = trader(USDT="1000"), trader(BTC="1")

    bob.sell("0.01", "60000")
    ada.buy("0.01", "60000")

    (row,) = recent_trades(instrument=instrument)
    (candle,) = candles(instrument=instrument, interval="1m")
    assert (row.price_ticks, row.quantity_lots, row.taker_side) == (6_000_000, 1000, BUY)
    assert (candle.close_ticks, candle.volume_lots) == (6_000_000, 1000)
    assert ticker(instrument=instrument).last_ticks == 6_000_000


@pytest.mark.django_db
def test_the_price_at_the_end_of_each_step_is_that_of_its_last_trade() -> None:
    bitcoin, ether, silent = listed("BTC-USDT"), listed("ETH-USDT"), listed("SOL-USDT")
    minute(bitcoin, NOON - timedelta(days=30), 40)
    minute(bitcoin, NOON + MINUTE, 50, 60)
    minute(bitcoin, NOON + 4 * MINUTE, 70, 55)
    minute(bitcoin, NOON + 5 * MINUTE, 80)
    minute(ether, NOON + 5 * MINUTE, 7, 9)

    found = closing_prices(
        instruments=[bitcoin, ether, silent], first=NOON - 5 * MINUTE, step=5 * MINUTE, steps=3
    )

    # Before anybody traded ether it is taken at what that began with.
    assert found == {bitcoin.id: [40, 55, 80], ether.id: [7, 7, 9]}
    assert closing_prices(instruments=[], first=NOON, step=MINUTE, steps=3) == {}
