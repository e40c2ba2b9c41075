"""R8, rule by rule, with numbers that can be checked in the head. One tick times one lot is one."""

from __future__ import annotations

from typing import Any

from apps.engine.messages import (
    BLOCKED,
    BUY,
    CANCELLED,
    FILLED,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    REDUCE_ONLY,
    SELL,
    AddLegs,
    Allot,
    Allotted,
    AmendBlock,
    Amended,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    BlockLeg,
    Cancel,
    LegsAdded,
    LegsReleased,
    Limits,
    OpenBlock,
    Prevented,
    RemoveLegs,
    SetAccount,
    SliceCut,
    SubmitBlock,
    Terms,
    Tick,
)
from tests.engine.venue import MARKET_ID, PLENTY, Venue, market, only, reason, trades


class Blocks(Venue):
    """A venue with one block. ``legs`` are lots of a buy, or parts per million of a holding."""

    def open_block(self, leader: str, lots: int, **more: Any) -> list[AnyEvent]:
        side = more.pop("side", BUY)
        price = more.pop("price", 100)
        force = more.pop("force", GTC if price else IOC)
        kind = LIMIT if price else MARKET
        terms = Terms(MARKET_ID, side, kind, force, lots, price_ticks=price)
        return self.do(OpenBlock, 1, self.account(leader), "lead", terms, **more)

    def join(self, **lots: int) -> LegsAdded:
        legs = tuple(BlockLeg(self.account(name), number) for name, number in lots.items())
        return only(self.do(AddLegs, 1, legs), LegsAdded)

    def submit(self) -> list[AnyEvent]:
        return self.do(SubmitBlock, 1)

    def allot(self, legs: int = 500) -> list[AnyEvent]:
        """Everything that is due, in pieces of so many legs."""
        found: list[AnyEvent] = []
        while (block_id := self.engine.next_allotment()) is not None:
            found += self.do(Allot, block_id, legs)
        return found

    def later(self, seconds: float) -> list[AnyEvent]:
        self.wait(seconds)
        return self.do(Tick)

    def parts(self, events: list[AnyEvent]) -> list[tuple[str, int, int]]:
        """(name, lots, quote) of each leg that got something."""
        return [
            (self.name(fill.account_id), fill.lots, fill.quote_minor)
            for event in events
            if isinstance(event, Allotted)
            for fill in event.fills
        ]

    def released(self, events: list[AnyEvent]) -> list[tuple[str, str, int, int]]:
        """(name, reason, money, lots owed) of each leg that left or ended."""
        return [
            (self.name(leg.account_id), leg.reason, leg.released_minor, leg.owed_lots)
            for event in events
            if isinstance(event, LegsReleased)
            for leg in event.legs
        ]

    def escrow(self) -> list[tuple[int, int, int, int]]:
        return [row for row in self.engine.balances() if row[0] < 0]


def a_block(**changes: Any) -> Blocks:
    """Leader 10 lots, anna 20, ben 30 at 100; reference 100."""
    venue = Blocks(market(**changes))
    venue.set_reference(100)
    venue.open_block("leader", 10)
    venue.join(anna=20, ben=30)
    return venue


def test_r8_1_a_block_is_opened_joined_submitted_filled_allotted_and_closed() -> None:
    venue = a_block()
    venue.sell("sam", 60, 100)

    submitted = venue.submit()
    allotted = venue.allot()

    assert trades(submitted) == [(60, 100)]
    assert only(submitted, BlockEnded).reason == "block_filled"
    assert only(submitted, SliceCut).lots == 60
    assert venue.parts(allotted) == [("leader", 10, 1000), ("anna", 20, 2000), ("ben", 30, 3000)]
    assert isinstance(allotted[-1], BlockClosed)
    assert venue.money("anna") == (PLENTY - 2000, 0, PLENTY + 20, 0)
    assert venue.escrow() == []


def test_r8_1_other_commands_run_between_the_pieces_of_an_allotment() -> None:
    venue = a_block()
    venue.sell("sam", 60, 100)
    venue.submit()

    pieces = [venue.do(Allot, 1, 1) for _ in range(3)]
    between = venue.buy("carl", 1, 90)
    rest = venue.allot(1)

    # A piece of one leg is four steps: lots of three legs and what is left over of them is one.
    assert [venue.parts(piece) for piece in pieces] == [[], [], [("leader", 10, 1000)]]
    assert not venue.parts(between)
    assert venue.parts(rest) == [("anna", 20, 2000), ("ben", 30, 3000)]


def test_r8_1_a_block_that_is_not_submitted_gives_everything_back() -> None:
    venue = a_block()

    ended = venue.later(10)
    allotted = venue.allot()

    assert only(ended, BlockEnded).reason == "not_submitted"
    assert venue.released(allotted) == [
        ("leader", "not_submitted", 1002, 0),
        ("anna", "not_submitted", 2001, 0),
        ("ben", "not_submitted", 3001, 0),
    ]
    assert venue.money("ben") == (PLENTY, 0, PLENTY, 0)


def test_r8_2_reserves_move_into_escrow_and_makers_are_paid_at_once() -> None:
    venue = a_block(taker_fee_ppm=10_000)
    assert venue.money("anna") == (PLENTY - 2021, 0, PLENTY, 0)
    assert venue.escrow() == [(-1, 1, 1012 + 2021 + 3031, 0)]
    venue.sell("sam", 20, 90)
    venue.submit()
    assert venue.money("sam") == (PLENTY + 1800, 0, PLENTY - 20, 0)
    assert venue.money("anna")[2] == PLENTY
    assert sum(row[2] + row[3] for row in venue.escrow() if row[1] == 1) == 6064 - 1800


def test_r8_2_a_leg_that_cannot_is_left_out_with_its_reason() -> None:
    venue = Blocks(market(max_quantity_lots=50))
    venue.set_reference(100)
    for name in ("blocked", "paused", "poor", "busy", "large"):
        venue.account(name)
    venue.open_block("leader", 10)
    limits = Limits(0, 0, 0)
    venue.do(SetAccount, venue.ids["blocked"], BLOCKED, 91, limits)
    venue.do(SetAccount, venue.ids["paused"], REDUCE_ONLY, 92, limits)
    venue.do(SetAccount, venue.ids["busy"], 1, 93, Limits(1, 0, 0))
    venue.buy("busy", 1, 90)
    venue.buy("poor", 50, 90)
    legs = [BlockLeg(venue.ids[name], 5) for name in ("blocked", "paused", "busy")]
    legs += [BlockLeg(venue.ids["large"], 51), BlockLeg(venue.ids["leader"], 1)]
    legs += [BlockLeg(99, 1), BlockLeg(venue.ids["poor"], 0), BlockLeg(venue.ids["poor"], 5)]

    found = only(venue.do(AddLegs, 1, tuple(legs)), LegsAdded)

    assert [each.reason for each in found.left_out] == [
        "account_blocked", "reduce_only", "max_open_orders", "max_quantity", "duplicate_leg",
        "unknown_account", "invalid_quantity",
    ]  # fmt: skip
    assert [each.account_id for each in found.legs] == [venue.ids["poor"]]


def test_r8_2_a_leg_without_money_is_left_out_and_without_the_leaders_there_is_no_block() -> None:
    venue = Blocks(plenty=0)
    venue.set_reference(100)
    for name in ("leader", "anna"):
        venue.open(name)

    assert reason(venue.open_block("leader", 10)) == "insufficient_balance"
    venue.fund("leader", quote=1_002)
    venue.open_block("leader", 10)
    venue.fund("anna", quote=500)
    found = venue.join(anna=5)

    # Five lots at a hundred and one unit.
    assert found.left_out[0].reason == "insufficient_balance"
    assert venue.money("leader") == (0, 0, 0, 0)


def test_r8_3_a_sell_is_a_fraction_of_the_holding_as_of_now_capped_by_what_is_free() -> None:
    venue = Blocks(plenty=0)
    venue.set_reference(100)
    for name, base in (("leader", 40), ("anna", 9), ("ben", 100), ("carl", 0)):
        venue.open(name)
        venue.fund(name, base=base)
    venue.sell("ben", 70, 120)
    venue.open_block("leader", 0, side=SELL, fraction_ppm=500_000)
    legs = tuple(BlockLeg(venue.ids[name], 0, 500_000) for name in ("anna", "ben", "carl"))

    found = only(venue.do(AddLegs, 1, legs), LegsAdded)

    # Half of nine is four; half of a hundred is fifty, but only thirty are free.
    assert [(venue.name(leg.account_id), leg.lots) for leg in found.legs] == [
        ("anna", 4),
        ("ben", 30),
    ]
    assert [each.reason for each in found.left_out] == ["nothing_to_sell"]


def test_r8_3_who_copies_a_leader_that_sells_all_sells_all() -> None:
    venue = Blocks(plenty=0)
    venue.set_reference(100)
    for name, base in (("leader", 7), ("anna", 3)):
        venue.open(name)
        venue.fund(name, base=base)
    venue.account("sam")
    venue.fund("sam", quote=10_000)
    venue.buy("sam", 10, 100)
    venue.open_block("leader", 0, side=SELL, fraction_ppm=1_000_000)
    venue.do(AddLegs, 1, (BlockLeg(venue.ids["anna"], 0, 1_000_000),))

    venue.submit()
    venue.allot()

    assert venue.money("leader") == (700, 0, 0, 0)
    assert venue.money("anna") == (300, 0, 0, 0)


def test_r8_4_a_slice_has_one_average_price_for_every_leg() -> None:
    venue = a_block()
    venue.sell("sam", 30, 90)
    venue.sell("tim", 30, 96)

    submitted = venue.submit()
    allotted = venue.allot()

    assert trades(submitted) == [(30, 90), (30, 96)]
    assert venue.parts(allotted) == [("leader", 10, 930), ("anna", 20, 1860), ("ben", 30, 2790)]


def test_r8_4_a_slice_is_allotted_after_a_tenth_of_a_second_or_a_thousandth_per_leg() -> None:
    venue = a_block()
    venue.submit()
    venue.sell("sam", 6, 100)

    assert venue.engine.next_due_ns() == venue.now_ns + 100_000_000
    early = venue.later(0.099)
    due = venue.later(0.001)

    assert early == []
    assert only(due, SliceCut).lots == 6
    assert venue.parts(venue.allot()) == [("leader", 1, 100), ("anna", 2, 200), ("ben", 3, 300)]


def test_r8_4_many_legs_wait_a_thousandth_of_a_second_each() -> None:
    venue = Blocks()
    venue.set_reference(100)
    venue.open_block("leader", 1)
    venue.join(**{f"copier{number}": 1 for number in range(149)})
    venue.submit()

    venue.sell("sam", 6, 100)

    assert venue.engine.next_due_ns() == venue.now_ns + 150_000_000


def test_r8_5_leftover_lots_go_to_the_largest_deficits_and_the_leader_comes_last() -> None:
    venue = Blocks()
    venue.set_reference(100)
    venue.open_block("leader", 10)
    venue.join(anna=10, ben=10, carl=10)
    venue.submit()
    given = []

    for _ in range(4):
        venue.sell("sam", 3, 100)
        venue.later(0.1)
        given.append([(name, lots) for name, lots, _ in venue.parts(venue.allot())])

    # Three of forty: nobody is due a whole lot, and the copiers are before the leader. Then he is
    # due a lot and a half, and is the first. Among equals it begins one leg later every time.
    assert given == [
        [("anna", 1), ("ben", 1), ("carl", 1)],
        [("leader", 1), ("anna", 1), ("ben", 1)],
        [("leader", 1), ("ben", 1), ("carl", 1)],
        [("leader", 1), ("anna", 1), ("carl", 1)],
    ]


def test_r8_5_no_leg_ever_gives_a_lot_back_and_all_are_filled_at_the_end() -> None:
    venue = a_block()
    venue.submit()
    sums: dict[str, int] = {}

    for lots in (1, 1, 2, 7, 11, 1, 37):
        venue.sell("sam", lots, 100)
        venue.later(0.1)
        for name, part, _ in venue.parts(venue.allot()):
            sums[name] = sums.get(name, 0) + part

    assert sums == {"leader": 10, "anna": 20, "ben": 30}
    assert venue.escrow() == []


def test_r8_6_odd_units_go_to_the_largest_remainders() -> None:
    venue = Blocks()
    venue.set_reference(100)
    venue.open_block("leader", 1)
    venue.join(anna=1, ben=1)
    venue.sell("sam", 2, 99)
    venue.sell("tim", 1, 98)

    venue.submit()
    allotted = venue.allot()

    # 296 for three lots: 98 each, and the two odd units by turns from the first leg on.
    assert venue.parts(allotted) == [("leader", 1, 99), ("anna", 1, 99), ("ben", 1, 98)]


def test_r8_6_maker_and_taker_notional_are_apart_and_fees_are_per_leg() -> None:
    venue = a_block(maker_fee_ppm=10_000, taker_fee_ppm=20_000)
    venue.sell("sam", 30, 100)
    venue.submit()
    venue.sell("tim", 30, 100)

    (allotted,) = [each for each in venue.allot() if isinstance(each, Allotted)]

    assert [
        (venue.name(fill.account_id), fill.quote_minor, fill.made_minor, fill.fee_minor)
        for fill in allotted.fills
    ] == [("leader", 1000, 500, 15), ("anna", 2000, 1000, 30), ("ben", 3000, 1500, 45)]


def test_r8_6_the_house_gets_exactly_what_the_legs_are_charged() -> None:
    venue = a_block(taker_fee_ppm=1)
    venue.sell("sam", 60, 100)
    venue.submit()
    before = venue.engine.accounts[2].available_minor(1)

    venue.allot()

    # A fee of a hundredth of a unit is one unit for each of three legs.
    assert venue.engine.accounts[2].available_minor(1) == before + 3


def test_r8_7_the_minimum_notional_binds_the_block_and_a_leg_needs_one_lot() -> None:
    venue = Blocks(market(min_notional_minor=300, min_quantity_lots=3))
    venue.set_reference(100)
    venue.open_block("leader", 1)

    assert reason(venue.submit()) == "min_quantity"
    venue.join(anna=1, ben=1)
    assert not reason_or_none(venue.submit())


def test_r8_7_a_market_block_stays_within_the_band_and_within_its_cap() -> None:
    venue = Blocks(market(band_bps=1_000))
    venue.set_reference(100)
    venue.sell("sam", 5, 104)
    venue.sell("tim", 5, 106)
    venue.open_block("leader", 10, price=0, cap_ticks=105)

    submitted = venue.submit()

    assert trades(submitted) == [(5, 104)]
    assert only(submitted, BlockEnded).reason == "band"


def test_r8_7_a_leg_with_a_tighter_cap_is_left_out() -> None:
    venue = Blocks()
    venue.set_reference(100)
    venue.open_block("leader", 10, price=103)
    legs = (BlockLeg(venue.account("anna"), 5, 0, 102), BlockLeg(venue.account("ben"), 5, 0, 103))

    found = only(venue.do(AddLegs, 1, legs), LegsAdded)

    assert [each.reason for each in found.left_out] == ["slippage_cap"]
    assert [venue.name(leg.account_id) for leg in found.legs] == ["ben"]


def test_r8_8_a_copiers_resting_order_removes_his_leg_and_then_trades() -> None:
    venue = a_block()
    venue.sell("sam", 12, 98)
    venue.sell("anna", 5, 99)

    submitted = venue.submit()
    venue.do(Cancel, venue.ids["leader"], 1)
    allotted = venue.allot()

    # Of the twelve lots before four are anna's: those she keeps. The other sixteen leave.
    assert trades(submitted) == [(12, 98), (5, 99)]
    assert venue.released(submitted) == [("anna", "self_trade", 1600, 4)]
    assert only(submitted, Amended).terms.quantity_lots == 60 - 16
    assert ("anna", 4) in [(name, lots) for name, lots, _ in venue.parts(allotted)]
    assert venue.escrow() == []


def test_r8_8_the_leaders_other_order_expires_and_the_block_goes_on() -> None:
    venue = a_block()
    venue.sell("leader.2", 5, 98)
    venue.sell("sam", 5, 99)

    submitted = venue.submit()

    assert only(submitted, Prevented)
    assert trades(submitted) == [(5, 99)]
    assert venue.engine.depth(MARKET_ID) == ([(100, 55)], [])


def test_r8_8_an_order_of_a_copier_or_the_leader_against_the_resting_block_expires() -> None:
    venue = a_block()
    venue.submit()

    copier = venue.sell("anna", 5, 100, self_trade=2)
    leader = venue.sell("leader.2", 5, 100, self_trade=3)

    assert [trades(events) for events in (copier, leader)] == [[], []]
    assert venue.engine.depth(MARKET_ID) == ([(100, 60)], [])


def test_r8_9_removed_legs_get_their_unfilled_reserve_in_the_same_command() -> None:
    venue = a_block()
    venue.submit()
    venue.sell("sam", 12, 100)

    removed = venue.do(RemoveLegs, 1, (venue.ids["anna"], 77), "stopped")

    # Four of the twelve lots are anna's own; sixteen leave, and their money with them.
    assert venue.released(removed) == [("anna", "stopped", 1600, 4)]
    assert venue.engine.depth(MARKET_ID)[0] == [(100, 60 - 12 - 16)]
    venue.later(0.1)
    allotted = venue.allot()
    assert venue.parts(allotted) == [("leader", 2, 200), ("anna", 4, 400), ("ben", 6, 600)]
    assert venue.released(allotted) == [("anna", "stopped", 0, 0)]
    assert venue.money("anna") == (PLENTY - 400, 0, PLENTY + 4, 0)


def test_r8_9_the_leaders_leg_is_the_block() -> None:
    venue = a_block()
    venue.submit()

    assert reason(venue.do(RemoveLegs, 1, (venue.ids["leader"],))) == "leader_leg"
    cancelled = venue.do(Cancel, venue.ids["leader"], 1)
    allotted = venue.allot()

    assert only(cancelled, BlockEnded).status == CANCELLED
    assert [row[0] for row in venue.released(allotted)] == ["leader", "anna", "ben"]
    assert venue.money("ben") == (PLENTY, 0, PLENTY, 0)


def test_a_copier_leaves_by_cancelling_his_leg() -> None:
    venue = a_block()
    venue.submit()

    left = venue.do(Cancel, venue.ids["ben"], 3)

    assert venue.released(left) == [("ben", "user", 3001, 0)]
    assert reason(venue.do(Cancel, venue.ids["ben"], 3)) == "order_not_found"
    assert reason(venue.do(Cancel, venue.ids["anna"], 3)) == "order_not_found"


def test_less_of_a_block_keeps_its_place_and_another_price_does_not() -> None:
    venue = a_block()
    venue.submit()
    venue.buy("carl", 5, 100)
    leader = venue.ids["leader"]

    venue.do(AmendBlock, 1, leader, 40)
    assert venue.engine.depth(MARKET_ID)[0] == [(100, 45)]
    assert reason(venue.do(AmendBlock, 1, leader, 0, 101)) == "worst_price"
    sold = venue.sell("sam", 40, 100)
    allotted = venue.allot()

    # The block was first, and is full with forty of its sixty lots.
    assert only(sold, BlockEnded).status == FILLED
    assert [lots for _, lots, _ in venue.parts(allotted)] == [6, 14, 20]
    assert venue.released(allotted)[1:] == [
        ("anna", "block_amended", 601, 0),
        ("ben", "block_amended", 1001, 0),
    ]
    assert venue.escrow() == []


def test_a_snapshot_in_the_middle_of_an_allotment_goes_on_exactly() -> None:
    venue, other = a_block(), a_block()
    for each in (venue, other):
        each.sell("sam", 25, 99)
        each.submit()
        each.sell("tim", 7, 100)
        each.later(0.1)

    count = 0
    while venue.engine.next_allotment() is not None:
        here, there = venue.do(Allot, 1, 1), other.again().do(Allot, 1, 1)
        assert here == there
        assert venue.engine.state_hash() == other.engine.state_hash()
        count += 1

    # Twelve steps of sharing out, and three legs of four steps each, four steps a piece.
    assert count == 5


def reason_or_none(events: list[AnyEvent]) -> str:
    return reason(events) if len(events) == 1 else ""
