"""Hypothesis looks for the shortest way to break a block, among all that other orders do."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from apps.engine.messages import (
    BUY,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPEN,
    SELL,
    AddLegs,
    Allot,
    AmendBlock,
    BlockLeg,
    Cancel,
    OpenBlock,
    Quarantined,
    RemoveLegs,
    SubmitBlock,
    Terms,
    Tick,
)
from tests.simulation.test_state_machine import (
    ACCOUNTS,
    LOTS,
    OWNERS,
    PRICES,
    SIDES,
    EngineMachine,
)

SECOND = 1_000_000_000
BLOCKS = st.integers(1, 3)
PARTS = st.sampled_from((1, 250_000, 1_000_000))
MEMBERS = st.lists(OWNERS, min_size=1, max_size=3)


class BlockMachine(EngineMachine):
    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=st.one_of(st.just(0), PRICES), part=PARTS)
    def open_block(self, owner: int, side: int, lots: int, price: int, part: int) -> None:
        self.opened += 1
        kind, force = (LIMIT, GTC) if price else (MARKET, IOC)
        by_part = side == SELL and lots % 2 == 0
        terms = Terms(1, side, kind, force, 0 if by_part else lots, price_ticks=price)
        values = (self.opened, owner, f"b{self.opened}", terms, part if by_part else 0)
        self.send(OpenBlock, *values)

    @rule(back=BLOCKS, owners=MEMBERS, lots=LOTS, part=st.one_of(st.just(0), PARTS))
    def join(self, back: int, owners: list[int], lots: int, part: int) -> None:
        legs = tuple(BlockLeg(each, 0 if part else lots, part) for each in owners)
        self.send(AddLegs, self.opened + 1 - back, legs)

    @rule(back=BLOCKS)
    def submit(self, back: int) -> None:
        self.send(SubmitBlock, self.opened + 1 - back)

    @rule(owner=OWNERS, lots=LOTS, side=SIDES)
    def all_of_it_at_once(self, owner: int, lots: int, side: int) -> None:
        """A block of everybody against somebody who stands there: few steps find it."""
        self.limit(owner, SELL if side == BUY else BUY, lots, 100, GTC)
        leader = ACCOUNTS[(ACCOUNTS.index(owner) + 1) % len(ACCOUNTS)]
        self.opened += 1
        terms = Terms(1, side, LIMIT, GTC, lots, price_ticks=100)
        self.send(OpenBlock, self.opened, leader, f"b{self.opened}", terms)
        others = tuple(BlockLeg(each, 1 + lots // 2) for each in ACCOUNTS if each != leader)
        self.send(AddLegs, self.opened, others)
        self.send(SubmitBlock, self.opened)

    @precondition(lambda self: self.engine.next_allotment() is not None)
    @rule(legs=st.sampled_from((1, 1, 2, 500)))
    def allot(self, legs: int) -> None:
        self.carry_out(Allot(b"", 0, self.engine.next_allotment() or 0, legs))

    @rule(back=BLOCKS, owners=MEMBERS)
    def remove(self, back: int, owners: list[int]) -> None:
        self.send(RemoveLegs, self.opened + 1 - back, tuple(owners))

    @rule(back=BLOCKS, owner=OWNERS, lots=st.integers(0, 20), price=st.one_of(st.just(0), PRICES))
    def amend(self, back: int, owner: int, lots: int, price: int) -> None:
        self.send(AmendBlock, self.opened + 1 - back, owner, lots, price)

    @rule(owner=OWNERS, back=BLOCKS)
    def cancel_by_name(self, owner: int, back: int) -> None:
        self.send(Cancel, owner, 0, f"b{self.opened + 1 - back}")

    @rule(back=BLOCKS)
    def put_aside(self, back: int) -> None:
        self.send(Quarantined, b"", "a bug", self.opened + 1 - back)
        self.set_venue(OPEN)

    @rule(tenths=st.sampled_from((1, 1, 2, 101)))
    def wait_for_a_slice(self, tenths: int) -> None:
        self.now_ns += tenths * SECOND // 10
        self.send(Tick)


TestBlockMachine = BlockMachine.TestCase
TestBlockMachine.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
