"""What must hold of blocks, told from their events alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.engine.messages import (
    BUY,
    Allotted,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    BlockOpened,
    Instrument,
    LegsAdded,
    LegsReleased,
    SliceCut,
    Trade,
    Uncrossed,
    escrow_account_id,
)


class Broken(AssertionError):
    """An invariant does not hold."""


def require(condition: object, invariant: str, *facts: object) -> None:
    if not condition:
        raise Broken(f"{invariant}: {facts}")


@dataclass(eq=False)
class SeenLeg:
    account_id: int
    lots: int
    reserve: int
    filled: int = 0
    quote: int = 0
    made: int = 0
    fees: int = 0
    pending: int = 0
    left: bool = False
    ended: bool = False


@dataclass(eq=False)
class SeenBlock:
    opened: BlockOpened
    legs: dict[int, SeenLeg] = field(default_factory=dict)
    pot: list[int] = field(default_factory=lambda: [0, 0, 0])  # lots, quote, made
    slice: SliceCut | None = None
    given: list[int] = field(default_factory=lambda: [0, 0, 0])
    ended: bool = False


class BlockAuditor:
    """R8 from the outside: every lot and every unit of a slice is allotted exactly once."""

    def __init__(self, instruments: dict[int, Instrument]) -> None:
        self.instruments = instruments
        self.blocks: dict[int, SeenBlock] = {}
        self.auction_trades = 0

    def note(self, event: AnyEvent) -> None:
        match event:
            case Trade() | Uncrossed():
                self._trade(event)
            case BlockOpened():
                require(event.block_id not in self.blocks, "R8 a block is opened once", event)
                self.blocks[event.block_id] = SeenBlock(event)
            case LegsAdded():
                legs = self.blocks[event.block_id].legs
                for leg in event.legs:
                    legs[leg.order_id] = SeenLeg(leg.account_id, leg.lots, leg.hold_minor)
            case SliceCut():
                self._cut(event)
            case Allotted():
                self._allotted(event)
            case LegsReleased():
                self._released(event)
            case BlockEnded():
                block = self.blocks[event.block_id]
                require(not block.ended, "R8 a block ends once", event)
                block.ended = True
            case BlockClosed():
                self._closed(event)
            case _:
                pass

    def _trade(self, event: Trade | Uncrossed) -> None:
        if isinstance(event, Uncrossed):
            self.auction_trades = event.trade_count
            return
        # R7.2: in an auction both are makers.
        taker_made = 1 if self.auction_trades > 0 else 0
        self.auction_trades -= 1
        for account_id, made in ((event.maker_account_id, 1), (event.taker_account_id, taker_made)):
            if account_id < 0:
                block = self.blocks[-account_id]
                require(not block.ended, "R8 nothing fills after the end", event)
                worst = block.opened.worst_ticks
                fair = event.price_ticks <= worst
                if block.opened.terms.side != BUY:
                    fair = event.price_ticks >= worst
                require(fair, "R8.7 never beyond the worst price", event, worst)
                block.pot[0] += event.quantity_lots
                block.pot[1] += event.quote_minor
                block.pot[2] += event.quote_minor * made

    def _cut(self, event: SliceCut) -> None:
        block = self.blocks[event.block_id]
        require(block.slice is None, "R8.4 one slice at a time", event)
        told = [event.lots, event.quote_minor, event.made_minor]
        require(told == block.pot, "R8.4 a slice is what has filled since", event, block.pot)
        block.slice, block.pot, block.given = event, [0, 0, 0], [0, 0, 0]

    def _allotted(self, event: Allotted) -> None:
        block = self.blocks[event.block_id]
        cut = block.slice
        assert cut is not None
        instrument = self.instruments[event.market_id]
        for fill in event.fills:
            leg = block.legs[fill.order_id]
            require(not leg.ended and leg.account_id == fill.account_id, "R8 live leg", fill)
            # The same price for all: to the unit, the lots' part of the money, and not one more.
            error = fill.quote_minor * cut.lots - cut.quote_minor * fill.lots
            require(abs(error) < cut.lots, "R8.4 one average price", fill, cut)
            require(0 <= fill.made_minor <= fill.quote_minor, "R8.6 made is part of it", fill)
            require(fill.base_minor == fill.lots * instrument.lot_minor, "B6 base leg", fill)
            leg.filled += fill.lots
            leg.quote += fill.quote_minor
            leg.made += fill.made_minor
            leg.fees += fill.fee_minor
            opened = block.opened
            due = -(-leg.made * opened.maker_fee_ppm // 1_000_000)
            due -= -(leg.quote - leg.made) * opened.taker_fee_ppm // 1_000_000
            require(leg.fees == due, "R8.6 fees of a leg by R6.1", fill, due)
            require(leg.filled + fill.remaining_lots == leg.lots, "R8.5 remaining", fill)
            require(leg.filled <= leg.lots, "R8.5 never more than it asked for", fill)
            bound = leg.filled * opened.worst_ticks * instrument.tick_lot_minor
            if event.side == BUY:
                require(leg.quote <= bound, "R8.7 nobody pays more than the worst price", fill)
                leg.reserve -= fill.quote_minor + fill.fee_minor + fill.released_minor
            else:
                require(leg.quote >= bound, "R8.7 nobody gets less than the worst price", fill)
                leg.reserve -= fill.base_minor
            require(leg.reserve >= 0, "R8.2 within its reserve", fill)
            if leg.left:
                leg.pending -= fill.lots
                require(leg.pending >= 0, "R8.9 no more than it was owed", fill)
            require(leg.reserve == fill.reserved_minor, "R8.2 what is reserved", fill, leg)
            if not fill.remaining_lots:
                spare = 1 if leg.account_id == block.opened.account_id else 0
                require(leg.reserve <= spare, "L6 nothing stays reserved of a filled leg", fill)
                leg.ended = leg.reserve == 0
            block.given[0] += fill.lots
            block.given[1] += fill.quote_minor
            block.given[2] += fill.made_minor
        told = [cut.lots, cut.quote_minor, cut.made_minor]
        if block.given[0] == cut.lots:
            require(block.given == told, "R8.6 all of the money", block.given, told)
            block.slice = None

    def _released(self, event: LegsReleased) -> None:
        block = self.blocks[event.block_id]
        for told in event.legs:
            leg = block.legs[told.order_id]
            require(not leg.ended, "R8.9 a leg ends once", told)
            leg.reserve -= told.released_minor
            require(leg.reserve >= 0, "R8.9 no more than it has goes home", told)
            leg.left, leg.pending = True, told.owed_lots
            if not told.owed_lots:
                require(leg.reserve == 0, "R8.9 the whole reserve goes home", told)
                leg.ended = True

    def _closed(self, event: BlockClosed) -> None:
        block = self.blocks.pop(event.block_id)
        require(block.ended and block.slice is None, "R8 closed after its last slice", event)
        require(block.pot == [0, 0, 0], "R8.5 every lot is allotted", event, block.pot)
        require(all(leg.ended for leg in block.legs.values()), "R8 all legs have ended", event)

    def check_empty(self, balances: dict[tuple[int, int], tuple[int, int]]) -> None:
        """R8.2: an escrow account has money only while its block lives."""
        live = {escrow_account_id(block_id) for block_id in self.blocks}
        for account_id, asset_id in balances:
            found = account_id > 0 or account_id in live
            require(found, "R8.2 escrow ends at zero", account_id, asset_id)
