"""Blocks beside the orders of their members: throttle, limits, ids; and one that raises."""

from __future__ import annotations

from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    Accepted,
    AddLegs,
    Allot,
    AmendBlock,
    Amended,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    BlockLeg,
    BlockOpened,
    Cancel,
    LegsAdded,
    Limits,
    OpenBlock,
    Quarantined,
    SubmitBlock,
    Terms,
    Tick,
)
from apps.trades.rules import CLIENT_ORDER_ID
from tests.engine.test_rules_of_blocks import Blocks, a_block, reason_or_none
from tests.engine.venue import MARKET_ID, market, only, reason


def test_a_block_counts_as_ten_of_its_leaders_orders() -> None:
    venue = Blocks()
    venue.account("leader", Limits(0, 25, 0))
    for _ in range(6):
        venue.buy("leader", 1, 50)

    opened = [_open(venue, number) for number in (1, 2)]
    refused = venue.buy("leader", 1, 50)
    venue.wait(1)
    later = _open(venue, 2)

    # Six orders and ten leave room for nine; what was refused counts, too.
    assert [reason_or_none(events) for events in opened] == ["", "rate_limit"]
    assert reason(refused) == "rate_limit"
    assert only(later, BlockOpened).block_id == 2


def test_who_may_send_one_order_a_second_may_send_one_block() -> None:
    venue = Blocks()
    venue.account("leader", Limits(0, 1, 0))

    assert only(_open(venue, 1), BlockOpened)
    assert reason(_open(venue, 2)) == "rate_limit"


def test_another_price_of_a_block_counts_as_one_order_and_less_of_it_as_none() -> None:
    venue = Blocks()
    leader = venue.account("leader", Limits(0, 2, 0))
    venue.open_block("leader", 10)
    venue.submit()
    venue.wait(1)

    moved = [venue.do(AmendBlock, 1, leader, 0, price) for price in (99, 98, 97)]
    less = venue.do(AmendBlock, 1, leader, 5)

    assert [reason_or_none(events) for events in moved] == ["", "", "rate_limit"]
    assert only(less, Amended).remaining_lots == 5
    assert venue.engine.depth(MARKET_ID)[0] == [(98, 5)]


def _open(venue: Blocks, block_id: int, name: str = "") -> list[AnyEvent]:
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 1, price_ticks=100)
    return venue.do(OpenBlock, block_id, venue.account("leader"), name or f"b{block_id}", terms)


def test_open_buys_count_in_the_position_limit_of_a_leg() -> None:
    venue = Blocks(market(max_position_lots=30), plenty=0)
    venue.set_reference(100)
    for name in ("leader", "anna"):
        venue.open(name)
        venue.fund(name, quote=10_000)
    venue.buy("anna", 12, 90)
    venue.open_block("leader", 1)

    found = venue.do(AddLegs, 1, (BlockLeg(venue.ids["anna"], 19), BlockLeg(venue.ids["anna"], 18)))

    assert [each.reason for each in only(found, LegsAdded).left_out] == ["max_position"]
    assert [leg.lots for leg in only(found, LegsAdded).legs] == [18]


def test_the_leaders_own_id_is_his_blocks_until_his_leg_ends_and_is_forgotten() -> None:
    venue = a_block()
    leader = venue.ids["leader"]

    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 1, price_ticks=50)
    assert reason(venue.place("leader", terms, "lead")) == "id_reused"
    venue.wait(601)
    venue.do(Tick)
    venue.allot()
    assert only(venue.place("leader", terms, "lead"), Accepted)
    assert reason(_open(venue, 2, "lead")) == "id_reused"

    venue.do(OpenBlock, 3, leader, "other", terms)
    venue.do(SubmitBlock, 3)
    venue.wait(601)
    venue.again().do(Tick)
    assert reason(venue.place("leader", terms, "other")) == "id_reused"
    ended = venue.do(Cancel, leader, 0, "other")
    venue.allot()
    assert only(ended, BlockEnded).block_id == 3
    assert only(venue.place("leader", terms, "other"), Accepted)


def test_no_client_order_id_of_a_person_is_that_of_a_leg() -> None:
    found = a_block().join(carl=1)

    assert found.client_order_id == "block:1"
    assert CLIENT_ORDER_ID.fullmatch(found.client_order_id) is None


def test_a_block_whose_allotment_was_quarantined_waits_until_it_is_asked_for() -> None:
    venue = a_block()
    venue.sell("sam", 60, 100)
    venue.submit()

    venue.do(Quarantined, b"", "a bug", 1)
    assert venue.again().engine.next_allotment() is None
    asked = venue.do(Allot, 1, 1)

    assert asked == []
    assert venue.engine.next_allotment() == 1
    assert isinstance(venue.allot()[-1], BlockClosed)
    assert venue.escrow() == []
