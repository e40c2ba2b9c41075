"""Hypothesis looks for the shortest way to break a block: any rule after any other.

Four people are in blocks, two others trade with them.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from apps.engine.messages import (
    BUY,
    GTC,
    IOC,
    LIMIT,
    OPEN,
    SELL,
    AddLegs,
    Allot,
    AmendBlock,
    BlockLeg,
    Cancel,
    Deposit,
    Limits,
    ListInstrument,
    OpenAccount,
    OpenBlock,
    Place,
    Quarantined,
    RemoveLegs,
    SetReference,
    SetVenue,
    SubmitBlock,
    Terms,
    Tick,
)
from tests.simulation.machine import SECOND, Machine
from tests.simulation.test_state_machine import instrument

MEMBERS = (1_000, 1_001, 1_002, 1_003)
OTHERS = (2_000, 2_001)
PRICES = st.integers(97, 103)
LOTS = st.integers(1, 12)
SIDES = st.sampled_from((BUY, SELL))
PARTS = st.sampled_from((1, 250_000, 1_000_000))
TENTHS = st.sampled_from((0, 1, 2, 2, 101, 6_010))
# Which of the blocks there were, counted from the last one.
BACK = st.sampled_from((0, 0, 0, 1, 2))


class BlockMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    @initialize(money=st.sampled_from((20_000, 900_000)), most=st.sampled_from((0, 60)))
    def open_the_venue(self, money: int, most: int) -> None:
        self.send(ListInstrument, instrument(800, 1_000, 1_000, OPEN))
        for account_id in (*MEMBERS, *OTHERS):
            self.send(OpenAccount, account_id, account_id, Limits(6, most, 0))
            self.send(Deposit, account_id, 1, money)
            self.send(Deposit, account_id, 2, money)
        self.send(SetReference, 1, 100)

    @rule(owner=st.sampled_from((*OTHERS, *MEMBERS)), side=SIDES, lots=LOTS, price=PRICES)
    def order(self, owner: int, side: int, lots: int, price: int) -> None:
        self.place(owner, Terms(1, side, LIMIT, GTC, lots, price_ticks=price))

    @rule(
        leader=st.sampled_from(MEMBERS), side=SIDES, sizes=st.tuples(LOTS, LOTS, LOTS, LOTS),
        waiting=st.lists(st.tuples(LOTS, st.integers(0, 2)), max_size=2),
        force=st.sampled_from((GTC, GTC, IOC)),
    )  # fmt: skip
    def block(
        self,
        leader: int,
        side: int,
        sizes: tuple[int, ...],
        waiting: list[tuple[int, int]],
        force: int,
    ) -> None:
        """All four want something, and others stand there with a part of it."""
        for other, (lots, better) in zip(OTHERS, waiting, strict=False):
            price = 100 - better if side == BUY else 100 + better
            self.order(other, SELL if side == BUY else BUY, lots, price)
        self.open_block(leader, side, sizes[0], 100, force, 0)
        legs = [each for each in MEMBERS if each != leader]
        found = [BlockLeg(each, size) for each, size in zip(legs, sizes[1:], strict=True)]
        self.send(AddLegs, self.opened, tuple(found))
        self.send(SubmitBlock, self.opened)

    @rule(other=st.sampled_from(OTHERS), side=SIDES, lots=st.integers(1, 9), tenths=TENTHS)
    def fill(self, other: int, side: int, lots: int, tenths: int) -> None:
        """Somebody trades with what stands there; after a while that is a slice."""
        self.order(other, side, lots, 99 if side == SELL else 101)
        self.let_time_pass(tenths)

    @rule(
        leader=st.sampled_from(MEMBERS), side=SIDES, lots=LOTS, price=PRICES,
        force=st.sampled_from((GTC, IOC)), part=st.one_of(st.just(0), PARTS),
    )  # fmt: skip
    def open_block(
        self, leader: int, side: int, lots: int, price: int, force: int, part: int
    ) -> None:
        self.opened += 1
        terms = Terms(1, side, LIMIT, force, 0 if part else lots, price_ticks=price)
        self.send(OpenBlock, self.opened, leader, f"b{self.opened}", terms, part)

    @rule(back=BACK, member=st.sampled_from(MEMBERS), lots=LOTS, part=st.one_of(st.just(0), PARTS))
    def join(self, back: int, member: int, lots: int, part: int) -> None:
        leg = BlockLeg(member, 0 if part else lots, part)
        self.send(AddLegs, self.opened - back, (leg,))

    @rule(back=BACK)
    def submit(self, back: int) -> None:
        self.send(SubmitBlock, self.opened - back)

    @precondition(lambda self: self.engine.next_allotment() is not None)
    @rule(legs=st.sampled_from((1, 1, 2, 500)), pieces=st.integers(1, 12))
    def allot(self, legs: int, pieces: int) -> None:
        for _ in range(pieces):
            self.carry_out(Allot(b"", 0, self.engine.next_allotment() or 0, legs))

    @rule(back=BACK, members=st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=3))
    def remove(self, back: int, members: list[int]) -> None:
        self.send(RemoveLegs, self.opened - back, tuple(members))

    @rule(back=BACK, leader=st.sampled_from(MEMBERS), lots=st.integers(0, 30), price=PRICES)
    def amend(self, back: int, leader: int, lots: int, price: int) -> None:
        self.send(AmendBlock, self.opened - back, leader, lots, price if lots % 2 else 0)

    @rule(back=BACK, leader=st.sampled_from(MEMBERS))
    def cancel_by_name(self, back: int, leader: int) -> None:
        self.send(Cancel, leader, 0, f"b{self.opened - back}")

    @rule(back=BACK, member=st.sampled_from(MEMBERS), lots=LOTS)
    def order_by_the_name_of_a_block(self, back: int, member: int, lots: int) -> None:
        terms = Terms(1, BUY, LIMIT, GTC, lots, price_ticks=95)
        self.send(Place, member, f"b{self.opened - back}", terms)

    @rule(back=BACK)
    def put_aside(self, back: int) -> None:
        self.send(Quarantined, b"", "a bug", self.opened - back)
        self.send(SetVenue, OPEN)

    @rule(tenths=TENTHS)
    def let_time_pass(self, tenths: int) -> None:
        self.now_ns += tenths * SECOND // 10
        self.send(Tick)


TestBlockMachine = BlockMachine.TestCase
TestBlockMachine.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
