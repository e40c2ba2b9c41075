"""Blocks and icebergs in an auction: R7.2 and R8.8 together, with numbers for the head."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    GTC,
    LIMIT,
    SELL,
    TRAILING_STOP,
    Allot,
    Allotted,
    AmendBlock,
    AnyEvent,
    BlockEnded,
    CallAuction,
    Cancel,
    Closed,
    Indicated,
    LegsReleased,
    PhaseChanged,
    Prevented,
    ReopenMarket,
    Rested,
    SetInstrument,
    SetReference,
    SliceCut,
    Special,
    Terms,
    Tick,
    Trade,
    Triggered,
    Uncrossed,
)
from tests.engine.test_amend import amend
from tests.engine.test_rules_of_blocks import Blocks
from tests.engine.venue import MARKET_ID, PLENTY, SECOND, market, only, order_id, reason, trades


def calling(**changes: Any) -> Blocks:
    venue = Blocks(market(**changes))
    venue.set_reference(100)
    venue.do(CallAuction, MARKET_ID, 60)
    return venue


def with_block(venue: Blocks) -> Blocks:
    """Leader 10 lots, anna 20, ben 30, all at 100 at most."""
    venue.open_block("leader", 10)
    venue.join(anna=20, ben=30)
    venue.submit()
    return venue


def iceberg(venue: Blocks, name: str, side: int, lots: int, price: int, shown: int) -> None:
    special = Special(display_lots=shown)
    terms = Terms(MARKET_ID, side, LIMIT, GTC, lots, price_ticks=price, special=special)
    venue.place(name, terms)


def reopen(venue: Blocks) -> list[AnyEvent]:
    return venue.do(ReopenMarket, MARKET_ID)


def test_a_block_trades_in_an_auction_and_its_legs_pay_what_makers_pay() -> None:
    venue = calling(maker_fee_ppm=10_000, taker_fee_ppm=50_000)
    venue.sell("sam", 60, 90)
    with_block(venue)

    events = reopen(venue)
    allotted = venue.allot()

    # Sixty lots trade anywhere from 90 to 100, which is the reference. The block came later.
    assert trades(events) == [(60, 100)]
    cut = only(events, SliceCut)
    assert (cut.lots, cut.quote_minor, cut.made_minor) == (60, 6_000, 6_000)
    assert only(events, BlockEnded).reason == "block_filled"
    fills = only(allotted, Allotted).fills
    assert [(fill.lots, fill.quote_minor, fill.fee_minor) for fill in fills] == [
        (10, 1_000, 10), (20, 2_000, 20), (30, 3_000, 30),
    ]  # fmt: skip
    assert venue.escrow() == []


def test_an_older_order_of_a_copier_takes_his_leg_out_of_the_block() -> None:
    venue = calling()
    venue.sell("anna", 60, 90)
    with_block(venue)

    events = reopen(venue)

    assert [name for name, *_ in venue.released(events)] == ["anna"]
    assert only(events, LegsReleased).legs[0].reason == "self_trade"
    # Without her twenty lots the block asks for forty.
    assert trades(events) == [(40, 100)]
    assert venue.queue(SELL) == [(90, "anna", 20, 0)]
    assert venue.parts(venue.allot()) == [("leader", 10, 1_000), ("ben", 30, 3_000)]


def test_a_newer_order_of_a_copier_expires_and_his_leg_stays() -> None:
    venue = with_block(calling())
    venue.sell("anna", 60, 90)
    venue.sell("sam", 60, 95)

    events = reopen(venue)

    assert only(events, Prevented).self_trade == EXPIRE_TAKER
    assert [each.reason for each in events if isinstance(each, Closed)] == ["self_trade"]
    assert trades(events) == [(60, 100)]
    assert [name for name, *_ in venue.parts(venue.allot())] == ["leader", "anna", "ben"]


def test_the_leaders_other_order_expires_though_it_is_older() -> None:
    venue = calling()
    venue.sell("leader", 5, 90)
    venue.sell("sam", 60, 95)
    with_block(venue)

    events = reopen(venue)

    assert only(events, Prevented).self_trade == EXPIRE_MAKER
    assert trades(events) == [(60, 100)]


@pytest.mark.parametrize("pieces", range(9))
def test_a_leg_that_leaves_keeps_its_part_of_the_slice_at_work(pieces: int) -> None:
    venue = Blocks()
    venue.set_reference(100)
    asked = venue.sell("anna", 5, 105)
    with_block(venue)
    venue.sell("sam", 12, 100)
    venue.later(0.1)
    for _ in range(pieces):
        venue.do(Allot, 1, 1)
    venue.do(CallAuction, MARKET_ID, 60)
    amend(venue, "anna", order_id(asked), price_ticks=95)
    # The block arrives anew, after her ask did.
    venue.do(AmendBlock, 1, venue.ids["leader"], 0, 99)
    venue.sell("sam", 60, 96)

    events = reopen(venue)
    venue.allot()

    # Of the twelve lots of the slice four are hers; the block goes on without the other sixteen.
    assert trades(events) == [(5, 99), (27, 99)]
    assert venue.money("anna")[2:] == (PLENTY + 4 - 5, 0)
    assert venue.escrow() == []


def test_a_refused_reopening_takes_no_leg_out() -> None:
    venue = calling()
    venue.sell("anna", 60, 90)
    venue.sell("sam", 10, 95)
    with_block(venue)
    venue.do(SetReference, MARKET_ID, 1_000)

    refused = reopen(venue)

    assert (reason(refused), len(refused)) == ("price_band", 1)
    assert venue.engine.depth(MARKET_ID) == ([(100, 60)], [(90, 60), (95, 10)])


def test_all_of_an_iceberg_trades_and_what_is_left_shows_its_next_part() -> None:
    venue = calling()
    iceberg(venue, "anna", BUY, 50, 100, 5)
    venue.buy("ben", 5, 100)
    venue.sell("sam", 30, 98)
    venue.sell("sue", 12, 99)

    events = reopen(venue)

    # 42 of the 55 lots that are wanted; what had been shown of hers leaves the book.
    assert trades(events) == [(30, 100), (12, 100)]
    assert only(events, Uncrossed).left == ((BUY, 100, 5), (SELL, 98, 30), (SELL, 99, 12))
    assert only(events, Rested).quantity_lots == 5
    assert [row[:3] for row in venue.queue(BUY)] == [(100, "ben", 5), (100, "anna", 5)]


def test_an_iceberg_of_which_less_trades_than_it_shows_keeps_its_place() -> None:
    venue = calling()
    iceberg(venue, "anna", BUY, 50, 100, 5)
    venue.buy("ben", 5, 100)
    venue.sell("sam", 3, 98)

    events = reopen(venue)

    assert [each for each in events if isinstance(each, Rested)] == []
    assert [row[:3] for row in venue.queue(BUY)] == [(100, "anna", 2), (100, "ben", 5)]


def test_an_order_that_was_repriced_is_a_new_arrival() -> None:
    venue = calling()
    bid = venue.buy("anna", 5, 90)
    venue.sell("anna.2", 5, 95)
    venue.sell("sam", 5, 95)
    amend(venue, "anna", order_id(bid), price_ticks=100)

    events = reopen(venue)

    # Her bid was entered first, but has come to its price after her offer: it is the one to go.
    assert only(events, Closed).order_id == order_id(bid)
    assert trades(events) == []
    assert venue.queue(SELL) == [(95, "anna.2", 5, 0), (95, "sam", 5, 0)]


def test_an_order_of_which_less_is_left_keeps_its_age() -> None:
    venue = calling()
    bid = venue.buy("anna", 5, 100)
    asked = venue.sell("anna.2", 5, 95)
    amend(venue, "anna", order_id(bid), 4)

    events = reopen(venue)

    assert only(events, Closed).order_id == order_id(asked)


# ------------------------------------------------------------ auctions in steps


def stepping(step_orders: int = 2) -> Blocks:
    venue = Blocks(market())
    venue.set_reference(100)
    venue.do(CallAuction, MARKET_ID, 60, step_orders)
    return venue


def pause(venue: Blocks) -> list[AnyEvent]:
    return venue.later(0.01)


def test_a_large_auction_trades_in_steps_at_one_price() -> None:
    venue = stepping()
    for name in ("anna", "ben", "carl"):
        venue.buy(name, 1, 101)
    venue.sell("sam", 5, 100)

    first = reopen(venue)
    joins = venue.buy("dora", 1, 100)
    cancelled = venue.do(ReopenMarket, MARKET_ID)
    last = pause(venue)

    assert trades(first) == [(1, 100), (1, 100)]
    assert only(first, Uncrossed).left == ((BUY, 101, 2), (SELL, 100, 2))
    assert [each for each in first if isinstance(each, PhaseChanged)] == []
    assert (reason(joins), reason(cancelled)) == ("auction_uncrossing", "auction_running")
    assert trades(last) == [(1, 100)]
    assert only(last, PhaseChanged).reason == "price_found"
    assert venue.queue(SELL) == [(100, "sam", 2, 0)]


def test_what_is_cancelled_between_two_steps_trades_no_more() -> None:
    venue = stepping(1)
    venue.buy("anna", 1, 101)
    bid = venue.buy("ben", 1, 101)
    venue.buy("carl", 1, 101)
    venue.sell("sam", 2, 100)
    reopen(venue)
    venue.do(Cancel, venue.ids["ben"], order_id(bid))

    last = pause(venue)

    assert [each.maker_account_id for each in last if isinstance(each, Trade)] == [
        venue.ids["carl"]
    ]
    assert only(last, PhaseChanged).reason == "price_found"


def test_too_many_who_would_meet_themselves_go_in_steps_before_there_is_a_price() -> None:
    venue = stepping()
    venue.sell("carl", 5, 95)
    for _ in range(3):
        venue.buy("carl.2", 1, 105)
    venue.buy("anna", 2, 100)

    first = reopen(venue)
    joins = venue.buy("dora", 1, 100)
    last = pause(venue)

    assert [each.reason for each in first if isinstance(each, Closed)] == ["self_trade"] * 2
    assert (trades(first), reason(joins)) == ([], "auction_uncrossing")
    assert [each.reason for each in last if isinstance(each, Closed)] == ["self_trade"]
    assert trades(last) == [(2, 100)]


def test_an_auction_goes_on_after_a_restart_in_the_middle() -> None:
    venue = stepping(1)
    for name in ("anna", "ben"):
        venue.buy(name, 1, 101)
    venue.sell("sam", 2, 100)
    reopen(venue)
    again = Engine.restore(venue.engine.snapshot())

    assert trades(again.apply(Tick(b"", 0), venue.now_ns + SECOND)) == [(1, 100)]


def test_prices_of_an_auction_that_was_broken_off_are_seen_when_the_market_opens() -> None:
    venue = Blocks(market())
    venue.trade_at(100)
    trails = Terms(MARKET_ID, SELL, TRAILING_STOP, GTC, 1, special=Special(trail_ticks=5))
    venue.place("anna", trails)
    waiting = order_id(venue.stop("ben", BUY, 1, 103))
    venue.do(CallAuction, MARKET_ID, 60, 1)
    bids = [order_id(venue.buy("carl", 1, 105)) for _ in range(2)]
    venue.sell("sam", 2, 105)
    assert trades(reopen(venue)) == [(1, 105)]

    # The market is closed between two steps, and what crosses leaves before it opens again.
    venue.do(SetInstrument, market(state=CANCEL_ONLY))
    closed = pause(venue)
    venue.do(Cancel, venue.ids["carl"], bids[1])
    venue.do(SetInstrument, market())
    opened = reopen(venue)
    venue.place("dora", trails)

    assert only(closed, PhaseChanged).reason == "market_closed"
    assert only(opened, PhaseChanged).reason == "nothing_crosses"
    assert (only(opened, Triggered).order_id, trades(opened)) == (waiting, [(1, 105)])
    # Whoever trails has seen the price: a stop that comes now has seen none that they have not.
    assert [run.key for run in venue.engine.books[MARKET_ID].trailing_sells.runs] == [105]


# ------------------------------------------------------------ what it would be


def test_the_auction_to_come_is_told_each_second_when_it_has_changed() -> None:
    venue = calling()
    venue.sell("sam", 5, 99)
    venue.buy("anna", 7, 101)

    told = venue.later(1)
    nothing_new = venue.later(1)
    venue.sell("sue", 4, 98)
    changed = venue.later(1)

    assert told == [Indicated(MARKET_ID, 100, 5, 2)]
    assert nothing_new == []
    # Anywhere from 99 to 101, of which 100 is the nearest to the reference.
    assert changed == [Indicated(MARKET_ID, 100, 7, -2)]


def test_what_would_meet_itself_is_not_told() -> None:
    venue = calling()
    venue.sell("anna", 5, 99)
    venue.buy("anna.2", 7, 101)

    assert venue.later(1) == []
