"""Limit state, pause, and reopening by auction, at the price of R7.2."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine.auction import auction_price
from apps.engine.messages import (
    CANCEL_ONLY,
    HALTED,
    PHASE_AUCTION,
    PHASE_EXTENDED,
    PHASE_LIMIT,
    PHASE_OPEN,
    PHASE_STAFF,
    AnyEvent,
    CallAuction,
    Closed,
    InstrumentSet,
    PhaseChanged,
    Prevented,
    ReopenMarket,
    SetInstrument,
    SetReference,
    Tick,
    Trade,
    Triggered,
    Uncrossed,
)
from tests.engine.test_amend import amend
from tests.engine.venue import (
    BUY,
    IOC,
    MARKET_ID,
    SECOND,
    SELL,
    Venue,
    ending,
    market,
    only,
    order_id,
    reason,
    trades,
)

RULES = market(band_bps=1_000, limit_state_seconds=15, halt_seconds=300)


def halting(**changes: Any) -> Venue:
    """A market around 100, with a band from 90 to 110, that offers nothing below 120."""
    rules: dict[str, Any] = {"limit_state_seconds": 15, "halt_seconds": 300, **changes}
    venue = Venue(market(**rules))
    venue.set_reference(100)
    venue.sell("ben", 5, 120)
    return venue


def phases(events: list[AnyEvent]) -> list[tuple[int, str]]:
    return [(e.phase, e.reason) for e in events if isinstance(e, PhaseChanged)]


def later(venue: Venue, seconds: float) -> list[AnyEvent]:
    venue.wait(seconds)
    return venue.do(Tick)


def paused() -> Venue:
    venue = halting()
    venue.market_order("dora", BUY, 3)
    assert phases(later(venue, 15)) == [(PHASE_AUCTION, "nothing_inside")]
    return venue


# ------------------------------------------------------------ the limit state


def test_a_market_order_that_ends_at_the_band_begins_the_limit_state() -> None:
    venue = halting()

    events = venue.market_order("dora", BUY, 3)
    again = venue.market_order("dora", BUY, 3)

    assert (trades(events), ending(events)) == ([], "band")
    until_ns = venue.now_ns + 15 * SECOND
    assert events[-1] == PhaseChanged(MARKET_ID, PHASE_LIMIT, until_ns, "band_reached")
    assert phases(again) == []


def test_without_halts_there_is_only_the_band() -> None:
    venue = halting(limit_state_seconds=0)

    assert phases(venue.market_order("dora", BUY, 3)) == []


def test_no_limit_state_where_the_book_ends() -> None:
    venue = Venue(RULES)
    venue.set_reference(100)
    venue.sell("ben", 1, 110)

    events = venue.market_order("dora", BUY, 3)

    assert (ending(events), phases(events)) == ("no_liquidity", [])


def test_a_trade_inside_ends_the_limit_state() -> None:
    venue = halting()
    venue.market_order("dora", BUY, 3)
    venue.buy("anna", 1, 109)

    events = venue.sell("carl", 1, 109)

    assert phases(events) == [(PHASE_OPEN, "traded_inside")]
    assert later(venue, 15) == []


def test_liquidity_that_came_back_ends_the_limit_state() -> None:
    venue = halting()
    venue.market_order("dora", BUY, 3)
    venue.sell("carl", 1, 110)

    assert later(venue, 14.9) == []
    assert phases(later(venue, 0.1)) == [(PHASE_OPEN, "back_inside")]


def test_a_stop_that_ends_at_the_band_begins_it_too() -> None:
    venue = halting()
    venue.trade_at(100)
    venue.stop("eve", BUY, 9, 101)
    venue.sell("carl", 1, 110)

    events = venue.buy("dora", 1, 110)

    # The stop reaches as far as 10 % above 101, where there is nothing but 120.
    assert phases(events) == [(PHASE_LIMIT, "band_reached")]


# ------------------------------------------------------------ the call phase


def test_the_call_collects_and_nothing_matches() -> None:
    venue = paused()

    bid = venue.buy("anna", 2, 130)
    refused = [
        venue.market_order("dora", BUY, 1),
        venue.buy("dora", 1, 100, force=IOC),
        venue.stop("dora", BUY, 1, 140),
    ]
    moved = amend(venue, "anna", order_id(bid), 3, 125)

    assert trades(bid) == trades(moved) == []
    assert [reason(each) for each in refused] == ["auction_limit_only"] * 3
    assert venue.queue(BUY) == [(125, "anna", 3, 0)]


def test_an_auction_trades_at_one_price_and_both_pay_as_makers() -> None:
    venue = halting(maker_fee_ppm=10_000, taker_fee_ppm=50_000)
    venue.market_order("dora", BUY, 3)
    later(venue, 15)
    venue.sell("carl", 4, 104)
    venue.buy("anna", 3, 115)
    venue.buy("gina", 2, 108)

    events = later(venue, 300)

    # From 104 to 108 four lots trade and one is left over; 104 is the nearest to 100.
    uncrossed = only(events, Uncrossed)
    assert (uncrossed.price_ticks, uncrossed.quantity_lots, uncrossed.trade_count) == (104, 4, 2)
    assert uncrossed.left == ((BUY, 115, 3), (SELL, 104, 4), (BUY, 108, 1))
    assert [(e.quantity_lots, e.price_ticks) for e in events if isinstance(e, Trade)] == [
        (3, 104), (1, 104),
    ]  # fmt: skip
    fees = [(e.maker_fee_minor, e.taker_fee_minor) for e in events if isinstance(e, Trade)]
    assert fees == [(4, 4), (1, 2)]
    assert phases(events) == [(PHASE_OPEN, "price_found")]
    assert venue.queue(BUY) == [(108, "gina", 1, 0)]
    assert venue.money("anna")[1] == 0


def test_waiting_orders_wake_after_the_auction() -> None:
    venue = halting()
    venue.trade_at(100)
    venue.stop("eve", BUY, 1, 106)
    venue.market_order("dora", BUY, 3)
    later(venue, 15)
    venue.sell("carl", 4, 107)
    venue.buy("anna", 3, 107)

    events = later(venue, 300)

    kinds = [type(event) for event in events]
    assert kinds.index(PhaseChanged) < kinds.index(Triggered)
    assert trades(events) == [(3, 107), (1, 107)]


def test_of_one_group_the_newer_order_expires_before_there_is_a_price() -> None:
    venue = paused()
    venue.sell("carl", 2, 104)
    venue.buy("carl.2", 2, 110)
    venue.buy("anna", 1, 108)

    events = later(venue, 300)

    prevented = only(events, Prevented)
    assert prevented.maker_order_id < prevented.taker_order_id
    assert only(events, Closed).reason == "self_trade"
    assert [e.quantity_lots for e in events if isinstance(e, Trade)] == [1]


def test_a_price_outside_the_band_extends_once_and_then_staff_decide() -> None:
    venue = paused()
    venue.buy("anna", 5, 125)

    extended = later(venue, 300)
    staff = later(venue, 300)
    nothing = later(venue, 3_000)
    too_far = venue.do(ReopenMarket, MARKET_ID)
    venue.do(SetReference, MARKET_ID, 122)
    reopened = venue.do(ReopenMarket, MARKET_ID)

    assert phases(extended) == [(PHASE_EXTENDED, "price_outside")]
    assert (phases(staff), nothing) == ([(PHASE_STAFF, "price_outside")], [])
    assert reason(too_far) == "price_band"
    # Five lots trade anywhere from 120 to 125; 122 is the reference.
    assert trades(reopened) == [(5, 122)]
    assert venue.queue(SELL) == []


def test_a_restart_in_any_phase_goes_on_with_it() -> None:
    venue = halting()
    venue.market_order("dora", BUY, 3)
    venue.again()
    assert phases(later(venue, 15)) == [(PHASE_AUCTION, "nothing_inside")]
    venue.buy("anna", 1, 125)

    assert phases(later(venue.again(), 300)) == [(PHASE_EXTENDED, "price_outside")]
    assert phases(later(venue.again(), 300)) == [(PHASE_STAFF, "price_outside")]
    assert list(venue.again().engine.phases()) == [(MARKET_ID, PHASE_STAFF, 0)]


# ------------------------------------------------------------ staff


def test_staff_open_a_halted_market_by_an_auction() -> None:
    venue = Venue(market(state=HALTED))
    called = venue.do(CallAuction, MARKET_ID, 60)
    venue.sell("carl", 2, 104)
    venue.buy("anna", 2, 104)

    again = venue.do(CallAuction, MARKET_ID, 60)
    events = later(venue, 60)

    assert only(called, InstrumentSet).instrument == market()
    assert phases(called) == [(PHASE_AUCTION, "called_by_staff")]
    assert reason(again) == "auction_running"
    assert trades(events) == [(2, 104)]


@pytest.mark.parametrize("seconds", [0, 86_401])
def test_an_auction_takes_a_second_to_a_day(seconds: int) -> None:
    venue = Venue(RULES)

    assert reason(venue.do(CallAuction, MARKET_ID, seconds)) == "invalid_timeout"
    assert reason(venue.do(CallAuction, 9, 60)) == "unknown_market"
    assert reason(venue.do(ReopenMarket, 9)) == "unknown_market"
    assert reason(venue.do(ReopenMarket, MARKET_ID)) == "no_auction"


def test_a_market_that_was_closed_meanwhile_waits_for_staff() -> None:
    venue = paused()
    venue.do(SetInstrument, market(state=CANCEL_ONLY, limit_state_seconds=15, halt_seconds=300))

    assert phases(later(venue, 300)) == [(PHASE_STAFF, "market_closed")]
    assert reason(venue.do(ReopenMarket, MARKET_ID)) == "cancel_only"


# ------------------------------------------------------------ the price


def by_trying(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference: int
) -> tuple[int, ...]:
    """R7.2 over every tick there is."""
    best: tuple[int, ...] = (0,)
    surplus = 0
    for price in range(1, 60):
        buy = sum(lots for at, lots in bids if at >= price)
        sell = sum(lots for at, lots in asks if at <= price)
        if min(buy, sell):
            away = abs(price - reference) if reference else 0
            rank = (min(buy, sell), -abs(buy - sell), -away, -price)
            if rank > best:
                best, surplus = rank, buy - sell
    return (-best[3], best[0], surplus) if best[0] else (0, 0, 0)


QUEUES = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9)), max_size=8)


@settings(max_examples=500, deadline=None)
@given(QUEUES, QUEUES, st.integers(0, 55))
def test_the_price_is_the_one_of_the_rule(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference: int
) -> None:
    bids.sort(key=lambda row: -row[0])
    asks.sort()

    assert auction_price(bids, asks, reference) == by_trying(bids, asks, reference)
