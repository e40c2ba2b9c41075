"""Slices of blocks in the naive engine: written from the rules, with fractions and sorted lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from apps.engine.messages import (
    BUY,
    CANCELLED,
    FEE_ACCOUNT_ID,
    FILLED,
    Allot,
    Allotted,
    BlockClosed,
    BlockEnded,
    Closed,
    Instrument,
    LegFill,
    LegReleased,
    LegsReleased,
    SliceCut,
    Terms,
    Trade,
    Uncrossed,
)
from tests.simulation.naive_pairs import NaivePairs
from tests.simulation.naive_world import (
    SECOND,
    NaiveOrder,
    check,
    fee_of,
)


@dataclass(eq=False)
class NaiveLeg:
    number: int
    account_id: int
    group: int
    lots: int
    reserve: int
    given: int = 0
    made: int = 0
    took: int = 0
    share: int = 0  # of the slice at work
    quote: int = 0
    slice_made: int = 0
    owed: int = 0  # of what has filled since
    left: bool = False
    ended: bool = False
    status: int = 0
    reason: str = ""

    @property
    def wanted(self) -> int:
        return self.lots - self.given


@dataclass(eq=False)
class NaiveSlice:
    number: int
    lots: int
    quote: int
    made: int
    final: bool
    step: str = "lots"
    at: int = 0


@dataclass(eq=False)
class NaiveBlock:
    number: int
    name: str  # its leader's
    terms: Terms
    market: Instrument  # as it was at the opening
    worst: int
    ppm: int
    opened: tuple[int, int]  # when, by which command
    group: int  # of its leader
    legs: list[NaiveLeg] = field(default_factory=list)
    order: NaiveOrder | None = None
    submitted: int = 0
    pot: list[tuple[int, int, bool]] = field(default_factory=list)  # lots, quote, made
    reduced: int = 0
    slice: NaiveSlice | None = None
    slices: int = 0
    due: tuple[int, int] | None = None
    status: int = 0
    reason: str = ""

    @property
    def buys(self) -> bool:
        return self.terms.side == BUY

    @property
    def escrow(self) -> int:
        return -self.number

    @property
    def spends(self) -> int:
        return self.market.quote_asset_id if self.buys else self.market.base_asset_id

    @property
    def remaining(self) -> int:
        return self.order.left if self.order else 0

    def stayers(self) -> list[NaiveLeg]:
        return [leg for leg in self.legs if not leg.left]

    def reserve(self, lots: int, leader: bool) -> int:
        if not self.buys:
            return lots * self.market.lot_minor
        notional = lots * self.worst * self.market.tick_lot_minor
        spare = (1 if lots else 0) + (1 if leader else 0)
        return notional + fee_of(notional, self.ppm) + spare

    def tighter(self, one: int, other: int) -> int:
        return min(one, other) if self.buys else max(one, other)


class NaiveSlices(NaivePairs):
    """What blocks have filled, cut into slices and allotted."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[int, NaiveBlock] = {}
        self.waiting: list[NaiveBlock] = []
        self.watched = 0

    def next_allotment(self) -> int | None:
        return self.waiting[0].number if self.waiting else None

    # ------------------------------------------------------------ fills and slices

    def watch(self) -> None:
        """What the events so far did to blocks."""
        in_auction = 0
        for event in self.events[self.watched :]:
            if isinstance(event, Uncrossed):
                in_auction = event.trade_count
            if isinstance(event, Trade):
                maker = (event.maker_account_id, event.maker_remaining_lots, True)
                taker = (event.taker_account_id, event.taker_remaining_lots, in_auction > 0)
                in_auction -= 1
                for account_id, left, made in (maker, taker):
                    if account_id < 0:
                        block = self.blocks[-account_id]
                        block.pot.append((event.quantity_lots, event.quote_minor, made))
                        if not left:
                            self.finish(block, FILLED, "block_filled")
                        elif block.due is None:
                            block.due = (self.now + self.pause(block), self.seq)
            elif isinstance(event, Closed) and event.account_id < 0:
                self.finish(self.blocks[-event.account_id], event.status, event.reason)
        self.watched = len(self.events)

    def pause(self, block: NaiveBlock) -> int:
        legs = len([leg for leg in block.legs if not leg.ended])
        return max(SECOND // 10, legs * SECOND // 1_000)

    def finish(self, block: NaiveBlock, status: int, reason: str) -> None:
        if block.status:
            return
        block.status, block.reason, block.due = status, reason, None
        self.events.append(BlockEnded(block.number, block.terms.market_id, status, reason))
        if block.slice is None:
            self.cut(block)

    def cut(self, block: NaiveBlock) -> None:
        lots = sum(fill[0] for fill in block.pot)
        quote = sum(fill[1] for fill in block.pot)
        made = sum(fill[1] for fill in block.pot if fill[2])
        block.slice = NaiveSlice(block.slices, lots, quote, made, bool(block.status))
        block.slice.step = "lots" if lots else "post"
        block.slices += 1
        block.pot, block.due = [], None
        for leg in block.legs:
            if leg.owed:
                leg.share, leg.owed = leg.owed, 0
        self.waiting.append(block)
        if lots:
            number = block.slice.number
            market_id = block.terms.market_id
            self.events.append(SliceCut(block.number, market_id, number, lots, quote, made))

    # ------------------------------------------------------------ allotment

    def allot(self, c: Allot) -> None:  # noqa: C901 - the steps in a row
        block = self.blocks.get(c.block_id)
        check(block and block.slice, "nothing_to_allot")
        assert block is not None
        assert block.slice is not None
        check(1 <= c.legs <= 500, "too_many_legs")
        found = block.slice
        work, count = 4 * c.legs, len(block.legs)
        fills: list[LegFill] = []
        released: list[LegReleased] = []
        while work > 0 and found.step != "done":
            price = 4 if found.step == "post" else 1
            stop = min(count, found.at + max(1, work // price))
            if found.step.startswith("odd"):
                stop = count
            work -= price * max(1, stop - found.at)
            if found.step == "post":
                for leg in block.legs[found.at : stop]:
                    self.post(block, leg, fills, released)
            found.at = stop
            if stop == count:
                self.next_step(block, found)
        t = block.terms
        if fills:
            first = self.trades + 1
            self.trades += len(fills)
            self.events.append(
                Allotted(
                    block.number,
                    t.market_id,
                    t.side,
                    found.number,
                    first,
                    tuple(fills),
                    block.market.tick_lot_minor,
                )
            )
        if released:
            self.events.append(LegsReleased(block.number, t.market_id, t.side, tuple(released)))
        self.waiting = [other for other in self.waiting if other is not block]
        if found.step != "done":
            self.waiting.append(block)
            return
        block.slice = None
        if found.final:
            del self.blocks[block.number]
            left = [v for (a, _), v in self.available.items() if a == block.escrow]
            assert not any(left), (block.number, left)
            self.events.append(BlockClosed(block.number, t.market_id))
        elif block.status:
            self.cut(block)

    def next_step(self, block: NaiveBlock, found: NaiveSlice) -> None:
        found.at = 0
        steps = ["lots", "odd lots", "money", "odd money", "post", "done"]
        if 0 < found.made < found.quote:
            steps.insert(4, "odd made")
        if found.step == "odd lots":
            self.share_lots(block, found)
        if found.step == "odd money":
            self.share_money(block, found)
        found.step = steps[steps.index(found.step) + 1]

    def turns(self, block: NaiveBlock, number: int) -> list[NaiveLeg]:
        """By order id, beginning one later with every slice."""
        at = number % len(block.legs)
        return block.legs[at:] + block.legs[:at]

    def share_lots(self, block: NaiveBlock, found: NaiveSlice) -> None:
        fixed = sum(leg.share for leg in block.legs if leg.left)
        pool = found.lots - fixed
        stayers = block.stayers()
        wanted = sum(leg.wanted for leg in stayers)
        size = sum(leg.lots for leg in stayers)
        filled = sum(leg.given for leg in stayers) + pool
        for leg in stayers:
            leg.share = pool * leg.wanted // wanted if leg.wanted else 0
        over = pool - sum(leg.share for leg in stayers)
        deficit = {
            leg.number: Fraction(leg.lots * filled, size) - leg.given - leg.share for leg in stayers
        }
        leader = block.legs[0]
        line = [leg for leg in self.turns(block, found.number) if not leg.left]
        if deficit[leader.number] < 1:
            line.remove(leader)
        line.sort(key=lambda leg: -deficit[leg.number])
        while over:
            takers = [leg for leg in line if leg.share < leg.wanted] or [leader]
            for leg in takers[:over]:
                leg.share += 1
            over -= min(over, len(takers))

    def share_money(self, block: NaiveBlock, found: NaiveSlice) -> None:
        line = [leg for leg in self.turns(block, found.number) if leg.share]
        exact = {leg.number: Fraction(found.quote * leg.share, found.lots) for leg in line}
        made = {leg.number: Fraction(found.made * leg.share, found.lots) for leg in line}
        for leg in line:
            leg.quote, leg.slice_made = int(exact[leg.number]), int(made[leg.number])
        over = found.quote - sum(leg.quote for leg in line)
        for leg in sorted(line, key=lambda leg: leg.quote - exact[leg.number])[:over]:
            leg.quote += 1
        over = found.made - sum(leg.slice_made for leg in line)
        line.sort(key=lambda leg: int(made[leg.number]) - made[leg.number])
        while over:
            takers = [leg for leg in line if leg.slice_made < leg.quote][:over]
            for leg in takers:
                leg.slice_made += 1
            over -= len(takers)

    def post(
        self,
        block: NaiveBlock,
        leg: NaiveLeg,
        fills: list[LegFill],
        released: list[LegReleased],
    ) -> None:
        assert block.slice is not None
        if leg.ended:
            return
        if leg.share:
            fills.append(self.pay(block, leg))
            if not leg.wanted and not leg.reserve:
                leg.ended = True
                return
        if block.slice.final and not leg.left:
            leg.left = True
            leg.status, leg.reason = block.status, block.reason
            if block.status == FILLED:
                leg.status, leg.reason = CANCELLED, "block_amended"
            if not leg.wanted:
                leg.status, leg.reason = FILLED, "block_filled"
        if leg.left and not leg.owed:
            released.append(self.release(block, leg))

    def pay(self, block: NaiveBlock, leg: NaiveLeg) -> LegFill:
        i = block.market
        lots, quote, made = leg.share, leg.quote, leg.slice_made
        fee = -fee_of(leg.made, i.maker_fee_ppm) - fee_of(leg.took, i.taker_fee_ppm)
        leg.made += made
        leg.took += quote - made
        fee += fee_of(leg.made, i.maker_fee_ppm) + fee_of(leg.took, i.taker_fee_ppm)
        base = lots * i.lot_minor
        leg.given += lots
        leg.share = 0
        home = 0
        self.move(FEE_ACCOUNT_ID, i.quote_asset_id, fee)
        if block.buys:
            kept = leg.reserve - quote - fee
            assert kept >= 0
            coming = leg.owed if leg.left else leg.wanted
            home = kept - min(kept, block.reserve(coming, leg is block.legs[0]))
            leg.reserve = kept - home
            self.move(block.escrow, i.quote_asset_id, -fee - home)
            self.move(block.escrow, i.base_asset_id, -base)
            self.move(leg.account_id, i.quote_asset_id, home)
            self.move(leg.account_id, i.base_asset_id, base)
        else:
            leg.reserve -= base
            self.move(block.escrow, i.quote_asset_id, -quote)
            self.move(leg.account_id, i.quote_asset_id, quote - fee)
        return LegFill(
            leg.number, leg.account_id, lots, base, quote, made, fee, home, leg.wanted, leg.reserve
        )

    def release(self, block: NaiveBlock, leg: NaiveLeg) -> LegReleased:
        pending = leg.share + leg.owed
        home = leg.reserve - min(leg.reserve, block.reserve(pending, leader=False))
        leg.reserve -= home
        self.move(block.escrow, block.spends, -home)
        self.move(leg.account_id, block.spends, home)
        leg.ended = not pending
        return LegReleased(leg.number, leg.account_id, leg.status, leg.reason, home, pending)
