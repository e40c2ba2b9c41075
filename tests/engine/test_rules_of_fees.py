"""A test, or a few, for each part of R6: fees, holds, budgets, stops. The number is in the name."""

from __future__ import annotations

from apps.engine.messages import (
    BUY,
    FILLED,
    MARKET,
    SELL,
    Accepted,
    Closed,
    SetInstrument,
    Terms,
    Trade,
    Triggered,
)
from tests.engine.venue import (
    BASE,
    IOC,
    MARKET_ID,
    QUOTE,
    Venue,
    ending,
    market,
    only,
    order_id,
    reason,
    trades,
)


def test_r6_1_many_small_fills_cost_no_more_than_one_large_one() -> None:
    fees = {}
    for pieces in (1, 7, 70):
        venue = Venue(market(maker_fee_ppm=800, taker_fee_ppm=1_000))
        venue.sell("ben", 70, 33)
        for _ in range(pieces):
            venue.buy("anna", 70 // pieces, 33)
        house = {row[1]: row[2] for row in venue.engine.balances() if row[0] == 2}
        fees[pieces] = (house[QUOTE], venue.money("ben")[0] - venue.plenty)

    # Maker, one order: ceil(2310 x 0.0008) = 2 in any number of pieces. The takers are orders of
    # their own: 1 x ceil(2.31) = 3, 7 x ceil(0.33) = 7, 70 x ceil(0.033) = 70.
    assert fees == {1: (2 + 3, 2_308), 7: (2 + 7, 2_308), 70: (2 + 70, 2_308)}


def test_r6_1_one_taker_pays_for_its_sum_over_many_makers() -> None:
    venue = Venue(market(maker_fee_ppm=0, taker_fee_ppm=1_000))
    for _ in range(10):
        venue.sell("ben", 1, 33)

    events = venue.buy("anna", 10, 33)

    assert [event.taker_fee_minor for event in events if isinstance(event, Trade)] == [1] + 9 * [0]


def test_r6_1_rates_are_frozen_when_the_order_enters() -> None:
    venue = Venue(market(maker_fee_ppm=10_000, taker_fee_ppm=20_000))
    venue.sell("ben", 10, 100)
    venue.do(SetInstrument, market(maker_fee_ppm=0, taker_fee_ppm=50_000))

    trade = only(venue.again().buy("anna", 10, 100), Trade)

    assert (trade.maker_fee_minor, trade.taker_fee_minor) == (10, 50)


def test_r6_2_a_buy_reserves_its_worst_case_and_a_sell_its_quantity() -> None:
    venue = Venue(market(lot_minor=7, maker_fee_ppm=800, taker_fee_ppm=1_000))

    bought = only(venue.buy("anna", 30, 101), Accepted)
    posted = only(venue.buy("anna", 30, 101, post_only=True), Accepted)
    sold = only(venue.sell("ben", 30, 102), Accepted)

    # 30 x 101 = 3030; ceil(3.03) + 1 = 5 for a taker, ceil(2.424) + 1 = 4 where it can only make.
    assert (bought.hold_asset_id, bought.hold_minor) == (QUOTE, 3_035)
    assert (posted.hold_asset_id, posted.hold_minor) == (QUOTE, 3_034)
    assert (sold.hold_asset_id, sold.hold_minor) == (BASE, 210)


def test_r6_2_what_a_fill_does_not_use_is_free_with_the_fill() -> None:
    venue = Venue(market(maker_fee_ppm=0, taker_fee_ppm=10_000), plenty=100_000)
    venue.sell("ben", 10, 90)
    venue.sell("ben", 10, 100)

    events = venue.buy("anna", 30, 100)

    first, second = (event for event in events if isinstance(event, Trade))
    # Reserved: 3000 + 30 + 1. After 10 lots at 90 (900 + 9): 20 lots left, 2000 + 20 + 1.
    assert (first.taker_fee_minor, first.taker_hold_used_minor) == (9, 3_031 - 2_021)
    # After 10 more at 100 (1000 + 10): 10 lots left, 1000 + 10 + 1.
    assert (second.taker_fee_minor, second.taker_hold_used_minor) == (10, 2_021 - 1_011)
    assert venue.money("anna")[:2] == (100_000 - 909 - 1_010 - 1_011, 1_011)


def test_r6_2_at_the_end_of_an_order_nothing_of_it_is_held() -> None:
    venue = Venue(market(maker_fee_ppm=333, taker_fee_ppm=777), plenty=1_000_000)
    for number in range(13):
        venue.sell("ben", 1 + number, 90 + number)
    bought = order_id(venue.buy("anna", 99, 110))
    venue.sell("ben", 5, 99)
    venue.cancel("anna", bought)

    assert venue.money("anna")[1] == 0
    assert venue.money("ben")[3] == 0
    assert [row[3] for row in venue.engine.balances() if row[3]] == []


def test_r6_3_the_budget_of_a_market_buy_includes_the_fee() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=1_002)
    venue.open("ben")
    venue.fund("ben", base=50)
    venue.set_reference(100)
    venue.sell("ben", 50, 100)
    terms = Terms(MARKET_ID, BUY, MARKET, IOC, quote_minor=1_001)

    events = venue.place("anna", terms)

    # 10 lots cost 1000 and a fee of 1: exactly the budget.
    trade, closed = only(events, Trade), only(events, Closed)
    assert (trade.quantity_lots, trade.taker_fee_minor) == (10, 1)
    assert (closed.status, closed.reason, closed.released_minor) == (FILLED, "budget", 0)
    assert venue.money("anna") == (1, 0, 1_002 + 10, 0)


def test_r6_3_a_budget_one_unit_short_buys_one_lot_less() -> None:
    venue = Venue(market(taker_fee_ppm=1_000))
    venue.sell("ben", 50, 100)

    events = venue.place("anna", Terms(MARKET_ID, BUY, MARKET, IOC, quote_minor=1_000))

    assert trades(events) == [(9, 100)]
    assert only(events, Closed).released_minor == 1_000 - 900 - 1


def test_r6_3_a_market_buy_by_quantity_reserves_at_most_what_is_available() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=705)
    venue.open("ben")
    venue.fund("ben", base=50)
    venue.sell("ben", 50, 100)

    events = venue.market_order("anna", BUY, 10)

    assert only(events, Accepted).hold_minor == 705
    assert trades(events) == [(7, 100)]
    assert ending(events) == "budget"
    assert venue.money("anna") == (4, 0, 7, 0)


def test_r6_3_a_market_order_is_limited_at_the_band() -> None:
    venue = Venue(market(band_bps=500))
    venue.set_reference(1_010)
    for price in (1_060, 1_061):
        venue.sell("ben", 1, price)
    for price in (960, 959):
        venue.buy("carl", 1, price)

    bought = venue.market_order("anna", BUY, 5)
    venue.set_reference(1_010)
    sold = venue.market_order("anna", SELL, 5)

    # 1010 x 1.05 = 1060.5, rounded down; 1010 x 0.95 = 959.5, rounded up.
    assert (trades(bought), ending(bought)) == ([(1, 1_060)], "band")
    assert (trades(sold), ending(sold)) == ([(1, 960)], "band")


def test_r6_4_stops_reserve_when_placed() -> None:
    venue = Venue(market(band_bps=1_000, taker_fee_ppm=1_000, maker_fee_ppm=800))

    market_stop = only(venue.stop("anna", BUY, 10, 200), Accepted)
    limit_stop = only(venue.stop("anna", BUY, 10, 200, 205), Accepted)
    sell_stop = only(venue.stop("anna", SELL, 10, 50), Accepted)

    # 10 x 220 = 2200, ceil(2.2) + 1; 10 x 205 = 2050, ceil(2.05) + 1; the quantity itself.
    assert market_stop.hold_minor == 2_204
    assert limit_stop.hold_minor == 2_054
    assert sell_stop.hold_minor == 10


def test_r6_4_a_woken_stop_trades_no_further_than_its_band() -> None:
    venue = Venue(market(band_bps=1_000))
    venue.trade_at(100)
    venue.stop("anna", SELL, 5, 95)
    venue.buy("ben", 1, 95)
    venue.buy("ben", 1, 86)
    venue.buy("ben", 9, 85)

    events = venue.sell("carl", 1, 95)

    # 95 x 0.9 = 85.5, rounded up.
    assert trades(events) == [(1, 95), (1, 86)]
    assert ending(events) == "band"


def test_r6_4_a_stop_limit_far_beyond_its_stop_is_refused() -> None:
    venue = Venue(market(band_bps=1_000))
    venue.trade_at(100)

    assert reason(venue.stop("anna", BUY, 1, 110, 122)) == "price_band"
    assert isinstance(venue.stop("anna", BUY, 1, 110, 121)[0], Accepted)
    assert reason(venue.stop("anna", SELL, 1, 90, 80)) == "price_band"
    assert isinstance(venue.stop("anna", SELL, 1, 90, 81)[0], Accepted)


def test_r6_4_a_stop_never_wakes_from_a_reference_or_a_quote() -> None:
    venue = Venue()
    venue.trade_at(100)
    venue.stop("anna", SELL, 1, 95)

    venue.set_reference(90)
    venue.buy("ben", 1, 94)
    events = venue.sell("ben.2", 1, 96)

    assert [type(event).__name__ for event in events] == ["Accepted", "Rested"]


def test_r6_4_a_fall_through_many_stops_takes_time_by_their_number() -> None:
    venue = Venue(market(band_bps=10_000))
    venue.trade_at(10_000)
    for number in range(2_000):
        venue.stop("eve", SELL, 1, 9_000 - number)
        venue.buy("ben", 1, 9_000 - number)

    events = venue.sell("anna", 1, 9_000)

    # Each stop takes the next bid and so wakes the next stop; the last finds nobody.
    woken = [event.order_id for event in events if isinstance(event, Triggered)]
    assert woken == sorted(woken)
    assert len(woken) == 2_000
    assert len(trades(events)) == 2_000
