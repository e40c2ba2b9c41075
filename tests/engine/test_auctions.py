"""Blocks and icebergs in an auction: R7.2 and R8.8 together, with numbers for the head."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.messages import (
    BUY,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    GTC,
    LIMIT,
    SELL,
    Allot,
    Allotted,
    AnyEvent,
    BlockEnded,
    CallAuction,
    Closed,
    LegsReleased,
    Prevented,
    ReopenMarket,
    Rested,
    SetReference,
    SliceCut,
    Special,
    Terms,
    Uncrossed,
)
from tests.engine.test_amend import amend
from tests.engine.test_rules_of_blocks import Blocks
from tests.engine.venue import MARKET_ID, PLENTY, market, only, order_id, reason, trades


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
    venue.sell("sam", 60, 96)

    events = reopen(venue)
    venue.allot()

    # Of the twelve lots of the slice four are hers; the block goes on without the other sixteen.
    assert trades(events) == [(5, 100), (27, 100)]
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
