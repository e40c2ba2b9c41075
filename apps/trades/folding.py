"""What a batch of events does to orders: one ``Change`` per order, whatever happened to it.

The projection writes changes into the tables; order entry turns the one of its own order into the
answer. Only orders of people are followed: the house's would be most of the rows and nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from apps.engine.messages import (
    BUY,
    CANCELLED,
    EXPIRED,
    FILLED,
    SELL,
    Accepted,
    Allotted,
    Amended,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    Closed,
    LegFill,
    LegsAdded,
    LegsReleased,
    Trade,
    Triggered,
)
from apps.matching.journal import Entry
from apps.trades.block_rows import BlockRows

FIRST_PERSONAL_ACCOUNT_ID: Final = 1000

STATUS_BY_CLOSE: Final = {FILLED: "filled", CANCELLED: "cancelled", EXPIRED: "expired"}


class Change:
    """Sums of what happened to an order; ``accepted`` is there if it was entered here, too.

    ``amended`` is the last change of what it asks for. ``status`` is empty where nothing changed
    it. ``block_id`` is that of a leg that was entered here.
    """

    __slots__ = (
        "accepted", "account_id", "amended", "block_id", "created_ns", "fee_minor", "filled_lots",
        "filled_quote_minor", "held_minor", "last_seq", "order_id", "reason", "seq", "status",
        "triggered", "updated_ns",
    )  # fmt: skip

    def __init__(self, order_id: int, account_id: int) -> None:
        self.order_id = order_id
        self.account_id = account_id
        self.accepted: Accepted | None = None
        self.amended: Amended | None = None
        self.block_id = 0
        self.seq = 0
        self.created_ns = 0
        self.filled_lots = 0
        self.filled_quote_minor = 0
        self.fee_minor = 0
        self.held_minor = 0
        self.triggered = False
        self.status = ""
        self.reason = ""
        self.last_seq = 0
        self.updated_ns = 0


class Side(msgspec.Struct, frozen=True, gc=False):
    """One side of a trade: the fill of one person's order."""

    trade: Trade
    seq: int
    at_ns: int
    is_maker: bool

    @property
    def id(self) -> int:
        return self.trade.trade_id * 2 + (0 if self.is_maker else 1)

    @property
    def side(self) -> int:
        if self.is_maker:
            return SELL if self.trade.taker_side == BUY else BUY
        return self.trade.taker_side

    @property
    def account_id(self) -> int:
        return self.trade.maker_account_id if self.is_maker else self.trade.taker_account_id


class Folded:
    """The orders a batch changed, by id, and the fills it made, in order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.changes: dict[int, Change] = {}
        self.sides: list[Side] = []
        self.blocks = BlockRows()
        takes: dict[type[AnyEvent], Callable[[Any, int, int], None]] = {
            Accepted: self._accept,
            Trade: self._trade,
            Closed: self._close,
            Triggered: self._trigger,
            Amended: self._amend,
            LegsAdded: self._add_legs,
            Allotted: self._allot,
            LegsReleased: self._release_legs,
            BlockEnded: self.blocks.end,
            BlockClosed: self.blocks.close,
        }
        for entry in entries:
            for event in entry.events:
                take = takes.get(type(event))
                if take is not None:
                    take(event, entry.seq, entry.at_ns)

    def _change(self, order_id: int, account_id: int, seq: int, at_ns: int) -> Change:
        change = self.changes.get(order_id)
        if change is None:
            change = self.changes[order_id] = Change(order_id, account_id)
        change.last_seq = seq
        change.updated_ns = at_ns
        return change

    def _accept(self, event: Accepted, seq: int, at_ns: int) -> None:
        if event.account_id < FIRST_PERSONAL_ACCOUNT_ID:
            return
        change = self._change(event.order_id, event.account_id, seq, at_ns)
        change.accepted = event
        change.seq = seq
        change.created_ns = at_ns
        change.held_minor = event.hold_minor
        change.status = "open"

    def _trade(self, trade: Trade, seq: int, at_ns: int) -> None:
        if trade.maker_account_id >= FIRST_PERSONAL_ACCOUNT_ID:
            self.sides.append(Side(trade, seq, at_ns, True))
            change = self._change(trade.maker_order_id, trade.maker_account_id, seq, at_ns)
            change.filled_lots += trade.quantity_lots
            change.filled_quote_minor += trade.quote_minor
            change.fee_minor += trade.maker_fee_minor
            change.held_minor -= trade.maker_hold_used_minor
            change.status = "partially_filled" if trade.maker_remaining_lots else "filled"
        if trade.taker_account_id >= FIRST_PERSONAL_ACCOUNT_ID:
            self.sides.append(Side(trade, seq, at_ns, False))
            change = self._change(trade.taker_order_id, trade.taker_account_id, seq, at_ns)
            change.filled_lots += trade.quantity_lots
            change.filled_quote_minor += trade.quote_minor
            change.fee_minor += trade.taker_fee_minor
            change.held_minor -= trade.taker_hold_used_minor
            # An order by quote amount has no lots that could run out; its end comes as Closed.
            by_quote = change.accepted is not None and not change.accepted.terms.quantity_lots
            is_filled = not trade.taker_remaining_lots and not by_quote
            change.status = "filled" if is_filled else "partially_filled"

    def _close(self, event: Closed, seq: int, at_ns: int) -> None:
        if event.account_id < FIRST_PERSONAL_ACCOUNT_ID:
            return
        change = self._change(event.order_id, event.account_id, seq, at_ns)
        change.held_minor -= event.released_minor
        change.status = STATUS_BY_CLOSE[event.status]
        change.reason = event.reason

    def _amend(self, event: Amended, seq: int, at_ns: int) -> None:
        if event.account_id < FIRST_PERSONAL_ACCOUNT_ID:
            return
        change = self._change(event.order_id, event.account_id, seq, at_ns)
        change.amended = event
        change.held_minor += event.hold_change_minor

    def _add_legs(self, event: LegsAdded, seq: int, at_ns: int) -> None:
        """A leg of a block is an order of its account, though the market never sees it."""
        self.blocks.add(event, seq, at_ns)
        for leg in event.legs:
            terms = msgspec.structs.replace(event.terms, quantity_lots=leg.lots)
            entered = Accepted(
                leg.order_id, leg.account_id, event.client_order_id, terms, 0, leg.hold_minor, 0, 0
            )
            self._accept(entered, seq, at_ns)
            if leg.order_id in self.changes:
                self.changes[leg.order_id].block_id = event.block_id

    def _allot(self, event: Allotted, seq: int, at_ns: int) -> None:
        self.blocks.allot(event, seq, at_ns)
        for number, fill in enumerate(event.fills):
            if fill.account_id < FIRST_PERSONAL_ACCOUNT_ID:
                continue
            trade = _trade_of_leg(event, fill, event.first_trade_id + number)
            is_maker = fill.made_minor == fill.quote_minor
            self.sides.append(Side(trade, seq, at_ns, is_maker))
            change = self._change(fill.order_id, fill.account_id, seq, at_ns)
            change.filled_lots += fill.lots
            change.filled_quote_minor += fill.quote_minor
            change.fee_minor += fill.fee_minor
            change.held_minor -= fill.base_minor
            if event.side == BUY:
                used = fill.quote_minor + fill.fee_minor + fill.released_minor
                change.held_minor += fill.base_minor - used
            is_filled = not fill.remaining_lots and not fill.reserved_minor
            change.status = "filled" if is_filled else "partially_filled"

    def _release_legs(self, event: LegsReleased, seq: int, at_ns: int) -> None:
        self.blocks.release(event, seq, at_ns)
        for leg in event.legs:
            if leg.account_id < FIRST_PERSONAL_ACCOUNT_ID:
                continue
            change = self._change(leg.order_id, leg.account_id, seq, at_ns)
            change.held_minor -= leg.released_minor
            # Where something is owed to it, it is open until it has that, but fills no more.
            change.reason = leg.reason
            if not leg.owed_lots:
                change.status = STATUS_BY_CLOSE[leg.status]

    def _trigger(self, event: Triggered, seq: int, at_ns: int) -> None:
        if event.account_id < FIRST_PERSONAL_ACCOUNT_ID:
            return
        change = self._change(event.order_id, event.account_id, seq, at_ns)
        change.triggered = True
        if event.hold_minor:
            # The limit order of the pair has just ended, and left its hold to the stop.
            change.held_minor += event.hold_minor
            other = self._change(event.pair_order_id, event.account_id, seq, at_ns)
            other.held_minor -= event.hold_minor


def _trade_of_leg(event: Allotted, fill: LegFill, trade_id: int) -> Trade:
    """A leg's part of a slice as an execution: the price is its average, rounded down to a tick.

    It traded with the block, so nobody is the other side.
    """
    made = fill.made_minor == fill.quote_minor
    price_ticks = max(1, fill.quote_minor // (fill.lots * event.tick_lot_minor))
    own = (fill.order_id, fill.account_id, fill.fee_minor, 0, fill.remaining_lots)
    nobody = (0, 0, 0, 0, 0)
    maker, taker = (own, nobody) if made else (nobody, own)
    taker_side = (SELL if event.side == BUY else BUY) if made else event.side
    return Trade(
        trade_id, event.market_id, taker_side, price_ticks, fill.lots, fill.base_minor,
        fill.quote_minor, *maker, *taker,
    )  # fmt: skip
