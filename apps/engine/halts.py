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
from apps.engine.auction import Conflict, Uncrossing, is_crossed, next_meeting, uncrossing
from apps.engine.book import STEP_ORDERS, Book, Order
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
    Indicated,
    InstrumentSet,
    PhaseChanged,
    ReopenMarket,
    Uncrossed,
)
from apps.engine.state import INDICATION, MARKET_PHASE, SECOND_NS, State

AUCTION_SECONDS_MAX: Final = 24 * 3600
# Of a market that has no halts of its own, where staff have called the auction.
EXTENSION_SECONDS: Final = 300
# While a market stands, nobody waits for its price by the second.
STAFF_INDICATION_SECONDS: Final = 10
ORDERS_PER_SECOND: Final = 1_000
# Between two steps of a large auction, so that it takes no more than half of the time.
STEP_NS: Final = 10_000_000
# What stands for the price of an auction of which some still have to go.
PARTING: Final = -1


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
    """The time of a phase is over, or that between two steps of an auction."""
    book = state.books[market_id]
    book.fix_band(state.second)
    if book.phase == PHASE_LIMIT:
        _leave_limit(state, book, events)
    elif not _is_open(state, book):
        _enter(state, book, PHASE_STAFF, 0, "market_closed", events)
    elif book.uncross_ticks > 0:
        _trade(state, book, events)
    else:
        found = uncrossing(book, state.matcher.blocks, book.step_orders)
        if found.is_whole and not _is_inside(found, book):
            _extend(state, book, events)
        else:
            _carry_out(state, book, found, events)


def indicate(state: State, market_id: int, events: list[AnyEvent]) -> None:
    """Tells what the auction would trade now, where that is not what was told last."""
    book = state.books[market_id]
    order_count = 0
    if not book.uncross_ticks:
        book.fix_band(state.second)
        found = uncrossing(book, state.matcher.blocks, book.step_orders, needs_price=True)
        order_count = found.order_count
        indicated = (found.price_ticks, found.quantity_lots, found.surplus_lots)
        if indicated != book.indicated:
            book.indicated = indicated
            events.append(Indicated(market_id, *indicated))
    _indicate_later(state, book, order_count)


def call_auction(state: State, command: CallAuction, events: list[AnyEvent]) -> str:
    """Staff open a halted market by an auction: orders are collected for so long."""
    book = state.books.get(command.market_id)
    if book is None:
        return "unknown_market"
    if state.venue_state != OPEN:
        return risk.state_refusal(NORMAL, state.venue_state, OPEN, SELL)
    in_time = 1 <= command.seconds <= AUCTION_SECONDS_MAX
    if not in_time or not 0 <= command.step_orders <= STEP_ORDERS:
        return "invalid_timeout"
    if book.phase in (PHASE_AUCTION, PHASE_EXTENDED) or book.uncross_ticks:
        return "auction_running"
    if book.instrument.state != OPEN:
        opened = msgspec.structs.replace(book.instrument, state=OPEN)
        book.set_instrument(opened, state.venue_state)
        events.append(InstrumentSet(opened))
    _enter(state, book, PHASE_AUCTION, command.seconds, "called_by_staff", events)
    book.step_orders = command.step_orders or STEP_ORDERS
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
    if book.uncross_ticks:
        return "auction_running"
    book.fix_band(state.second)
    found = uncrossing(book, state.matcher.blocks, book.step_orders)
    if found.is_whole and not _is_inside(found, book):
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
    if phase > PHASE_LIMIT and not book.indicate_at_ns:
        _indicate_later(state, book, 0)
    events.append(PhaseChanged(market_id, phase, until_ns, reason))


def _indicate_later(state: State, book: Book, order_count: int) -> None:
    """In a second, or later where so many orders have to be looked at that it would cost much."""
    seconds = STAFF_INDICATION_SECONDS if book.phase == PHASE_STAFF else 1
    seconds += order_count // ORDERS_PER_SECOND
    book.indicate_at_ns = state.now_ns + seconds * SECOND_NS
    book.indicate_seq = state.seq
    state.add_timer(book.indicate_at_ns, state.seq, INDICATION, book.instrument.market_id)


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


def _extend(state: State, book: Book, events: list[AnyEvent]) -> None:
    if book.phase == PHASE_AUCTION:
        seconds = book.instrument.halt_seconds or EXTENSION_SECONDS
        _enter(state, book, PHASE_EXTENDED, seconds, "price_outside", events)
    else:
        _enter(state, book, PHASE_STAFF, 0, "price_outside", events)


def _is_inside(found: Uncrossing, book: Book) -> bool:
    """A book without a reference has no band; where nobody trades, none is needed."""
    price = found.price_ticks
    return not price or not book.reference_ticks or (book.lower_ticks <= price <= book.upper_ticks)


def _carry_out(state: State, book: Book, found: Uncrossing, events: list[AnyEvent]) -> None:
    """Who must not meet another goes; then everybody trades at one price.

    Where more have to go than may in one step, the price is looked for again when they are gone.
    """
    for conflict in found.conflicts:
        _part(state, book, conflict, events)
    if not found.is_whole:
        _pause(state, book, PARTING)
    elif found.price_ticks:
        book.uncross_ticks = found.price_ticks
        _trade(state, book, events)
    else:
        _enter(state, book, PHASE_OPEN, 0, "nothing_crosses", events)
        # Earlier steps may have traded, also of an auction that was broken off: nothing that waits
        # for a price has seen theirs yet.
        state.matcher.after_trades(book, state.second, events)


def _part(state: State, book: Book, conflict: Conflict, events: list[AnyEvent]) -> None:
    state.matcher.part(
        conflict.older, conflict.newer, conflict.ends, conflict.legs, book, events
    )  # fmt: skip


def _pause(state: State, book: Book, uncross_ticks: int) -> None:
    """Other markets have their turn; until the auction goes on nobody joins it."""
    book.uncross_ticks = uncross_ticks
    book.phase_until_ns = state.now_ns + STEP_NS
    book.phase_seq = state.seq
    state.add_timer(book.phase_until_ns, state.seq, MARKET_PHASE, book.instrument.market_id)


def _trade(state: State, book: Book, events: list[AnyEvent]) -> None:
    """A step of the auction at its price; after the last the market goes on, and orders wake."""
    matcher, price = state.matcher, book.uncross_ticks
    meeting = next_meeting(book, matcher.blocks, price, book.step_orders)
    if meeting.fills:
        _fill(state, book, price, meeting.fills, events)
    if meeting.conflict is not None:
        # Since the price was found somebody's trade group has changed.
        _part(state, book, meeting.conflict, events)
    if meeting.is_last and not is_crossed(book):
        _enter(state, book, PHASE_OPEN, 0, "price_found", events)
        matcher.after_trades(book, state.second, events)
        return
    matcher.after_step(book, state.second, events)
    # Where orders have left between two steps, the rest may find together at another price.
    _pause(state, book, PARTING if meeting.is_last else price)


def _fill(
    state: State,
    book: Book,
    price: int,
    fills: list[tuple[Order, Order, int]],
    events: list[AnyEvent],
) -> None:
    matcher = state.matcher
    events.append(_uncrossed(book, price, fills))
    hidden = {
        order.order_id: order.hidden_lots
        for bid, ask, _ in fills for order in (bid, ask) if order.hidden_lots
    }  # fmt: skip
    for bid, ask, lots in fills:
        older, newer = (bid, ask) if bid.age < ask.age else (ask, bid)
        matcher.cross(older, newer, book, price, lots, events)
    for order_id, hidden_lots in hidden.items():
        if order_id in state.orders:
            matcher.hide(state.orders[order_id], book, hidden_lots, events)


def _uncrossed(book: Book, price: int, fills: list[tuple[Order, Order, int]]) -> Uncrossed:
    """With what leaves the book at each price: of an iceberg that is what it shows."""
    shown: dict[int, int] = {}
    left: dict[tuple[int, int], int] = {}
    for bid, ask, lots in fills:
        for order in (bid, ask):
            rest = shown.get(order.order_id, order.remaining_lots)
            seen = min(lots, rest)
            shown[order.order_id] = rest - seen
            key = (order.side, order.price_ticks)
            left[key] = left.get(key, 0) + seen
    step_lots = sum(lots for _, _, lots in fills)
    book.uncrossed_lots += step_lots
    return Uncrossed(
        book.instrument.market_id, price, step_lots, len(fills),
        tuple((side, ticks, lots) for (side, ticks), lots in left.items()), book.uncrossed_lots,
    )  # fmt: skip
