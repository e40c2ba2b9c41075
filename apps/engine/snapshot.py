"""The engine's whole state as canonical bytes, and back.

The same state always gives the same bytes: everything is written in a defined order, and what can
be derived (price levels, timers, indexes) is not written at all. Fields are only ever appended.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from apps.engine import block_snapshot
from apps.engine.balances import Account, Balance, Reserve
from apps.engine.book import RESTING, Book, Order, Side
from apps.engine.brackets import exit_ids, has_exits, reserve_exit_ids
from apps.engine.idempotency import Remembered, ids_of, kept_id
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    GTD,
    PHASE_LIMIT,
    Hold,
    Instrument,
    Limits,
    OpenBlock,
    Place,
    Terms,
)
from apps.engine.pairs import Ties
from apps.engine.rates import fee_minor
from apps.engine.risk import hold_fee_ppm
from apps.engine.state import (
    CANCEL_ALL_AFTER,
    GOOD_TILL_DATE,
    INDICATION,
    MARKET_PHASE,
    SECOND_NS,
    State,
)
from apps.engine.triggers import active_trails, rearm

SNAPSHOT_FORMAT: Final = 1

# Sums over many trades may outgrow the 64 bits that msgpack has for a number; then they are text.
Wide: TypeAlias = int | str

T = TypeVar("T")


class OrderState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """``best_ticks``: what a trailing stop trails, zero while it is not active.

    ``pair_order_id`` is the other order of its pair, ``parent_order_id`` the purchase that it
    protects, zero where it is tied to none, or not any more.
    """

    order_id: int
    account_id: int
    client_order_id: str
    terms: Terms
    price_ticks: int
    remaining_lots: int
    hold_minor: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    traded_minor: Wide
    entered_seq: int
    aside_minor: Wide = 0
    # What was asked for at entry, where it was amended and its command is forgotten.
    entry_terms: Terms | None = None
    best_ticks: int = 0
    hidden_lots: int = 0
    pair_order_id: int = 0
    parent_order_id: int = 0
    # After which order and with which command it arrived, if not when it entered.
    arrived: tuple[int, int] | None = None


class AccountState(msgspec.Struct, frozen=True, array_like=True):
    """Balances are (asset, available, held), only those that are not zero.

    ``throttle`` is (orders, repeats, last terms) of the current second, if there were any, and
    ``cancel_after`` (time, seq) of the dead man's switch where it is armed.
    """

    account_id: int
    trade_group: int
    state: int
    limits: Limits
    balances: list[tuple[int, int, int]]
    throttle: tuple[int, int, Terms] | None
    cancel_after: tuple[int, int] | None = None


class BookState(msgspec.Struct, frozen=True, array_like=True):
    """Queues are order ids, best level first, oldest first within a level.

    Buckets of the reference price are (second, value, lots), oldest first. ``phase`` is (phase,
    until, seq, side of the limit state), where the market is not simply open; ``call`` is (price of
    the auction that is trading, lots it has traded, orders of a step, when it is told next, seq,
    what was told) while orders are collected.
    """

    instrument: Instrument
    last_ticks: int
    anchor_ticks: int
    buckets: list[tuple[int, Wide, Wide]]
    bids: list[int]
    asks: list[int]
    phase: tuple[int, int, int, int] | None = None
    call: tuple[int, int, int, int, int, tuple[int, int, int]] | None = None


class EngineState(msgspec.Struct, frozen=True, array_like=True):
    """``reserves`` are (hold, account, asset, amount). ``remembered`` begins with the oldest."""

    format: int
    seq: int
    now_ns: int
    rules_version: int
    venue_state: int
    next_order_id: int
    next_trade_id: int
    forgotten_seq: int
    accounts: list[AccountState]
    books: list[BookState]
    orders: list[OrderState]
    reserves: list[tuple[int, int, int, int]]
    remembered: list[Remembered]
    blocks: list[block_snapshot.BlockState] = []
    allotting: list[int] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EngineState)


def dump(state: State) -> bytes:
    return _encoder.encode(
        EngineState(
            SNAPSHOT_FORMAT,
            state.seq,
            state.now_ns,
            state.rules_version,
            state.venue_state,
            state.matcher.next_order_id,
            state.matcher.next_trade_id,
            state.forgotten_seq,
            [_account(account, state.now_ns) for account in _by_id(state.ledger.accounts)],
            [_book(book, state.now_ns) for book in _by_id(state.books)],
            [
                _order(order, state)
                for order in _by_id(state.matcher.orders)
                if order.order_id not in state.matcher.blocks
            ],
            [
                (hold.hold_id, hold.account_id, hold.asset_id, hold.amount_minor)
                for hold in _by_id(state.ledger.reserves)
            ],
            list(state.remembered),
            block_snapshot.dump(state),
            list(state.allotting),
        )
    )


def load(state: State, data: bytes) -> None:
    """Fills a fresh state. Raises ``ValueError`` for what is no snapshot of this format."""
    try:
        found = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a snapshot: {error}") from error
    if found.format != SNAPSHOT_FORMAT:
        raise ValueError(f"snapshot format {found.format}, expected {SNAPSHOT_FORMAT}")
    state.seq = found.seq
    state.now_ns = found.now_ns
    state.rules_version = found.rules_version
    state.venue_state = found.venue_state
    state.matcher.next_order_id = found.next_order_id
    state.matcher.next_trade_id = found.next_trade_id
    state.forgotten_seq = found.forgotten_seq
    for account in found.accounts:
        _load_account(state, account)
    for book in found.books:
        state.add_book(_loaded_book(book, found.venue_state))
        state.matcher.collect_fees_in(book.instrument.quote_asset_id)
        if book.phase is not None and book.phase[1]:
            _, until_ns, seq, _ = book.phase
            state.add_timer(until_ns, seq, MARKET_PHASE, book.instrument.market_id)
        if book.call is not None:
            _, _, _, at_ns, seq, _ = book.call
            if at_ns:
                state.add_timer(at_ns, seq, INDICATION, book.instrument.market_id)
    _load_orders(state, found)
    for hold_id, account_id, asset_id, amount in found.reserves:
        state.ledger.reserves[hold_id] = Reserve(hold_id, account_id, asset_id, amount)
    for entry in found.remembered:
        _load_remembered(state, entry)


def _by_id(items: dict[int, T]) -> list[T]:
    return [items[key] for key in sorted(items)]


def _account(account: Account, now_ns: int) -> AccountState:
    balances = [
        (
            asset_id,
            account.balances[asset_id].available_minor,
            account.balances[asset_id].held_minor,
        )
        for asset_id in sorted(account.balances)
    ]
    throttle = None
    # Counters of a second that is over have no effect any more.
    if account.throttle_second == now_ns // SECOND_NS:
        throttle = (account.placed_orders, account.repeated_orders, account.last_terms)
    return AccountState(
        account.account_id,
        account.trade_group,
        account.state,
        account.limits,
        [row for row in balances if row[1] or row[2]],
        throttle,
        (account.cancel_after_ns, account.cancel_after_seq) if account.cancel_after_ns else None,
    )


def _book(book: Book, now_ns: int) -> BookState:
    book.reference.ticks(now_ns // SECOND_NS)  # drops the buckets that have left the window
    return BookState(
        book.instrument,
        book.last_ticks,
        book.reference.anchor_ticks,
        [(second, _wide(value), _wide(lots)) for second, value, lots in book.reference.buckets],
        _queue(book.bids),
        _queue(book.asks),
        (book.phase, book.phase_until_ns, book.phase_seq, book.limit_side) if book.phase else None,
        _call(book) if book.phase > PHASE_LIMIT else None,
    )


def _call(book: Book) -> tuple[int, int, int, int, int, tuple[int, int, int]]:
    return (
        book.uncross_ticks, book.uncrossed_lots, book.step_orders,
        book.indicate_at_ns, book.indicate_seq, book.indicated,
    )  # fmt: skip


def _wide(number: int) -> Wide:
    return number if number <= AMOUNT_MAX else str(number)


def _queue(side: Side) -> list[int]:
    return [order_id for level in side.best_first() for order_id in level.orders]


def _order(order: Order, state: State) -> OrderState:
    entry = order.account.client_ids[order.client_order_id]
    entry_terms = None
    if entry.seq <= state.forgotten_seq and isinstance(entry.command, Place):
        entry_terms = entry.command.terms if entry.command.terms != order.terms else None
    trails = active_trails(order, state.books[order.terms.market_id])
    ties = state.matcher.ties.get(order.order_id)
    return OrderState(
        order.order_id,
        order.account.account_id,
        order.client_order_id,
        order.terms,
        order.price_ticks,
        order.remaining_lots,
        order.hold_minor,
        order.instrument.maker_fee_ppm,
        order.instrument.taker_fee_ppm,
        _wide(order.traded_minor),
        entry.seq,
        _wide(order.aside_minor),
        entry_terms,
        0 if trails is None else trails.best_ticks(order.order_id),
        order.hidden_lots,
        0 if ties is None else ties.pair_id,
        0 if ties is None else ties.entry_id,
        (order.arrived_after, order.arrived_seq) if order.arrived_seq else None,
    )


def _load_account(state: State, found: AccountState) -> None:
    ledger = state.ledger
    account = ledger.accounts.get(found.account_id)
    if account is None:
        account = ledger.open_account(found.account_id, found.trade_group, found.limits)
    account.admit(found.state, found.limits)
    for asset_id, available_minor, held_minor in found.balances:
        account.balances[asset_id] = Balance(available_minor, held_minor)
    if found.throttle is not None:
        account.throttle_second = state.now_ns // SECOND_NS
        account.placed_orders, account.repeated_orders, account.last_terms = found.throttle
    if found.cancel_after is not None:
        account.cancel_after_ns, account.cancel_after_seq = found.cancel_after
        state.add_timer(*found.cancel_after, CANCEL_ALL_AFTER, account.account_id)


def _loaded_book(found: BookState, venue_state: int) -> Book:
    book = Book(found.instrument, venue_state)
    book.last_ticks = found.last_ticks
    reference = book.reference
    for second, value, lots in found.buckets:
        reference.add(second, int(value), int(lots), found.anchor_ticks)
    reference.anchor_ticks = found.anchor_ticks
    if found.phase is not None:
        phase, until_ns, seq, book.limit_side = found.phase
        book.enter_phase(phase, until_ns, seq, venue_state)
    if found.call is not None:
        (
            book.uncross_ticks, book.uncrossed_lots, book.step_orders,
            book.indicate_at_ns, book.indicate_seq, book.indicated,
        ) = found.call  # fmt: skip
    return book


def _load_orders(state: State, found: EngineState) -> None:
    for order in found.orders:
        _load_order(state, order)
    block_snapshot.load(state, found.blocks, found.allotting)
    for book in found.books:
        _load_queues(state, book)
    # Of two trailing stops the one with the better price has been active for longer.
    for order in sorted(found.orders, key=_worse_price_last):
        live = state.matcher.orders[order.order_id]
        if live.place != RESTING:
            rearm(live, state.books[live.terms.market_id], order.best_ticks)


def _worse_price_last(found: OrderState) -> tuple[int, int]:
    best = found.best_ticks
    return best if found.terms.side == BUY else -best, found.order_id


def _load_order(state: State, found: OrderState) -> None:
    terms = found.terms
    account = state.ledger.accounts[found.account_id]
    book = state.books[terms.market_id]
    spends, gains = book.instrument.base_asset_id, book.instrument.quote_asset_id
    if terms.side == BUY:
        spends, gains = gains, spends
    instrument = _frozen_fees(book.instrument, found)
    traded_minor = int(found.traded_minor)
    order = Order(
        found.order_id,
        account,
        found.client_order_id,
        terms,
        instrument,
        terms.side,
        found.price_ticks,
        found.remaining_lots,
        found.hold_minor,
        hold_fee_ppm(terms, instrument),
        account.balance(spends),
        account.balance(gains),
        traded_minor,
        # Only as a maker does an order outlive the command that made it trade.
        fee_minor(traded_minor, instrument.maker_fee_ppm),
        aside_minor=int(found.aside_minor),
        hidden_lots=found.hidden_lots,
    )
    if found.arrived is not None:
        order.arrived_after, order.arrived_seq = found.arrived
    state.matcher.orders[order.order_id] = order
    _load_ties(state, order, found)
    account.open_orders[order.order_id] = terms.market_id
    if terms.time_in_force == GTD:
        state.add_timer(terms.expires_at_ns, found.entered_seq, GOOD_TILL_DATE, order.order_id)
    if found.entered_seq <= state.forgotten_seq:
        # Its command is forgotten, but while it lives the owner's id stays taken.
        entry_terms = found.entry_terms or terms
        command = Place(b"", 0, account.account_id, order.client_order_id, entry_terms)
        entry = Remembered(0, found.entered_seq, order.order_id, command)
        account.client_ids[order.client_order_id] = entry
        state.matcher.aged[order.order_id] = None
        reserve_exit_ids(account, order.client_order_id, entry_terms)


def _load_ties(state: State, order: Order, found: OrderState) -> None:
    """A purchase has been loaded before what protects it."""
    ties = state.matcher.ties
    if found.pair_order_id or found.parent_order_id:
        ties[order.order_id] = Ties(found.pair_order_id, found.parent_order_id)
        if found.parent_order_id in ties:
            ties[found.parent_order_id].exit_ids.append(order.order_id)
    elif has_exits(order.terms):
        ties[order.order_id] = Ties()


def _frozen_fees(instrument: Instrument, found: OrderState) -> Instrument:
    """The market with the fee rates that the order entered with."""
    rates = (found.maker_fee_ppm, found.taker_fee_ppm)
    if rates == (instrument.maker_fee_ppm, instrument.taker_fee_ppm):
        return instrument
    return msgspec.structs.replace(instrument, maker_fee_ppm=rates[0], taker_fee_ppm=rates[1])


def _load_queues(state: State, found: BookState) -> None:
    book = state.books[found.instrument.market_id]
    for side, queue in ((book.bids, found.bids), (book.asks, found.asks)):
        for order_id in queue:
            order = state.matcher.orders[order_id]
            side.rest(order)


def _load_remembered(state: State, entry: Remembered) -> None:
    command = entry.command
    state.remembered.append(entry)
    state.by_command_id[command.command_id] = entry
    if isinstance(command, Place):
        client_ids = state.ledger.accounts[command.account_id].client_ids
        for client_order_id, order_id in ids_of(command, entry.order_id):
            client_ids[client_order_id] = msgspec.structs.replace(entry, order_id=order_id)
        for exit_id in exit_ids(command.client_order_id, command.terms):
            kept = client_ids.get(exit_id)
            if kept is None:
                client_ids[exit_id] = kept_id(command.account_id, exit_id, 0, 0)
            else:
                # Its id goes with the command of the purchase.
                state.matcher.aged.pop(kept.order_id, None)
    elif isinstance(command, Hold):
        state.ledger.recent_holds[command.hold_id] = None
    elif isinstance(command, OpenBlock):
        state.recent_blocks[command.block_id] = None
        state.ledger.accounts[command.account_id].client_ids[command.client_order_id] = entry
