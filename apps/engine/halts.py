"""What a market does when its price runs away: limit state, call phase of an auction, reopening.

A market or stop order that ends at the band, with liquidity beyond it, begins the limit state. If
nothing trades and nothing returns inside until it is over, the market pauses: orders are collected,
and then all that can trade does so at one price. A price outside the band has one extension; after
that staff decide.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine import risk
from apps.engine.auction import Uncrossing, uncrossing
from apps.engine.book import Book
from apps.engine.messages import (
    BUY,
    NORMAL,
    OPEN,
    PHASE_AUCTION,
    PHASE_EXTENDED,
    PHASE_LIMIT,
    PHASE_OPEN,
    PHASE_STAFF,
    SELL,
    AnyEvent,
    CallAuction,
    InstrumentSet,
    PhaseChanged,
    ReopenMarket,
    Uncrossed,
)
from apps.engine.state import MARKET_PHASE, SECOND_NS, State

AUCTION_SECONDS_MAX: Final = 24 * 3600
# Of a market that has no halts of its own, where staff have called the auction.
EXTENSION_SECONDS: Final = 300


def attend(state: State, events: list[AnyEvent]) -> None:
    """Looks at the markets in which the command at hand came to the band, or traded within it."""
    state.matcher.end_unprotected(events)
    attention = state.matcher.attention
    for market_id in list(attention):
        book = state.books[market_id]
        if book.phase == PHASE_LIMIT and book.traded_inside:
            _enter(state, book, PHASE_OPEN, 0, "traded_inside", events)
        seconds = book.instrument.limit_state_seconds
        if book.phase == PHASE_OPEN and book.hit_side and seconds and _is_open(state, book):
            book.limit_side = book.hit_side
            _enter(state, book, PHASE_LIMIT, seconds, "band_reached", events)
        book.hit_side = 0
        book.traded_inside = False
    attention.clear()


def turn(state: State, market_id: int, events: list[AnyEvent]) -> None:
    """The time of a phase is over."""
    book = state.books[market_id]
    book.fix_band(state.second)
    if book.phase == PHASE_LIMIT:
        _leave_limit(state, book, events)
    else:
        _end_call(state, book, events)


def call_auction(state: State, command: CallAuction, events: list[AnyEvent]) -> str:
    """Staff open a halted market by an auction: orders are collected for so long."""
    book = state.books.get(command.market_id)
    if book is None:
        return "unknown_market"
    if state.venue_state != OPEN:
        return risk.state_refusal(NORMAL, state.venue_state, OPEN, SELL)
    if not 1 <= command.seconds <= AUCTION_SECONDS_MAX:
        return "invalid_timeout"
    if book.phase in (PHASE_AUCTION, PHASE_EXTENDED):
        return "auction_running"
    if book.instrument.state != OPEN:
        opened = msgspec.structs.replace(book.instrument, state=OPEN)
        book.set_instrument(opened, state.venue_state)
        events.append(InstrumentSet(opened))
    _enter(state, book, PHASE_AUCTION, command.seconds, "called_by_staff", events)
    return ""


def reopen_market(state: State, command: ReopenMarket, events: list[AnyEvent]) -> str:
    """Staff end a call phase now, at its price, which has to be within the band."""
    book = state.books.get(command.market_id)
    if book is None:
        return "unknown_market"
    reason = risk.state_refusal(NORMAL, state.venue_state, book.instrument.state, SELL)
    if reason:
        return reason
    if book.phase < PHASE_AUCTION:
        return "no_auction"
    book.fix_band(state.second)
    found = uncrossing(book, state.matcher.blocks)
    if not _is_inside(found, book):
        return "price_band"
    _carry_out(state, book, found, events)
    return ""


def _is_open(state: State, book: Book) -> bool:
    return state.venue_state == book.instrument.state == OPEN


def _enter(
    state: State, book: Book, phase: int, seconds: int, reason: str, events: list[AnyEvent]
) -> None:
    until_ns = state.now_ns + seconds * SECOND_NS if seconds else 0
    book.enter_phase(phase, until_ns, state.seq, state.venue_state)
    market_id = book.instrument.market_id
    if until_ns:
        state.add_timer(until_ns, state.seq, MARKET_PHASE, market_id)
    events.append(PhaseChanged(market_id, phase, until_ns, reason))


def _leave_limit(state: State, book: Book, events: list[AnyEvent]) -> None:
    """Liquidity has come back inside the band, or the market pauses."""
    if not _is_open(state, book):
        _enter(state, book, PHASE_OPEN, 0, "market_closed", events)
        return
    buys = book.limit_side == BUY
    best = (book.asks if buys else book.bids).best_ticks()
    if best and (best <= book.upper_ticks if buys else best >= book.lower_ticks):
        _enter(state, book, PHASE_OPEN, 0, "back_inside", events)
    else:
        seconds = book.instrument.halt_seconds or EXTENSION_SECONDS
        _enter(state, book, PHASE_AUCTION, seconds, "nothing_inside", events)


def _end_call(state: State, book: Book, events: list[AnyEvent]) -> None:
    if not _is_open(state, book):
        _enter(state, book, PHASE_STAFF, 0, "market_closed", events)
        return
    found = uncrossing(book, state.matcher.blocks)
    if _is_inside(found, book):
        _carry_out(state, book, found, events)
    elif book.phase == PHASE_AUCTION:
        seconds = book.instrument.halt_seconds or EXTENSION_SECONDS
        _enter(state, book, PHASE_EXTENDED, seconds, "price_outside", events)
    else:
        _enter(state, book, PHASE_STAFF, 0, "price_outside", events)


def _is_inside(found: Uncrossing, book: Book) -> bool:
    """A book without a reference has no band; where nobody trades, none is needed."""
    price = found.price_ticks
    return not price or not book.reference_ticks or (book.lower_ticks <= price <= book.upper_ticks)


def _carry_out(state: State, book: Book, found: Uncrossing, events: list[AnyEvent]) -> None:
    """Everybody trades at one price; then the market goes on, and waiting orders wake."""
    matcher = state.matcher
    market_id, price = book.instrument.market_id, found.price_ticks
    for conflict in found.conflicts:
        matcher.part(conflict.older, conflict.newer, conflict.ends, conflict.legs, book, events)
    if found.fills:
        events.append(_uncrossed(found, market_id))
    hidden = {
        order.order_id: order.hidden_lots
        for bid, ask, _ in found.fills for order in (bid, ask) if order.hidden_lots
    }  # fmt: skip
    for bid, ask, lots in found.fills:
        older, newer = (bid, ask) if bid.order_id < ask.order_id else (ask, bid)
        matcher.cross(older, newer, book, price, lots, events)
    for order_id, hidden_lots in hidden.items():
        if order_id in state.orders:
            matcher.hide(state.orders[order_id], book, hidden_lots, events)
    reason = "price_found" if found.fills else "nothing_crosses"
    _enter(state, book, PHASE_OPEN, 0, reason, events)
    if found.fills:
        matcher.after_trades(book, state.second, events)


def _uncrossed(found: Uncrossing, market_id: int) -> Uncrossed:
    """With what leaves the book at each price: of an iceberg that is what it shows."""
    shown: dict[int, int] = {}
    left: dict[tuple[int, int], int] = {}
    for bid, ask, lots in found.fills:
        for order in (bid, ask):
            rest = shown.get(order.order_id, order.remaining_lots)
            seen = min(lots, rest)
            shown[order.order_id] = rest - seen
            key = (order.side, order.price_ticks)
            left[key] = left.get(key, 0) + seen
    return Uncrossed(
        market_id, found.price_ticks, sum(lots for _, _, lots in found.fills), len(found.fills),
        tuple((side, ticks, lots) for (side, ticks), lots in left.items()),
    )  # fmt: skip
