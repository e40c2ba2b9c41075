"""From a ``Place`` command to a live order, or to the reason why not.

Nothing is changed before the last check has passed, the throttle counters aside.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.balances import Account
from apps.engine.book import RESTING, Book, Order
from apps.engine.brackets import exit_ids, has_exits
from apps.engine.idempotency import STOP_SUFFIX, repeat_answer
from apps.engine.messages import (
    BUY,
    CANCELLED,
    GTD,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
    Accepted,
    AnyCommand,
    AnyEvent,
    Duplicate,
    Place,
    PlacePair,
    Rejected,
    Replace,
    Rested,
    Terms,
)
from apps.engine.pairs import pair_is_apart
from apps.engine.remainder import needed_hold_minor
from apps.engine.risk import (
    CLIENT_ORDER_ID_MAX,
    COMMAND_ID_BYTES,
    hold_fee_ppm,
    id_refusal,
    order_hold_minor,
    order_refusal,
    plain_hold_minor,
    position_refusal,
    worst_price_ticks,
)
from apps.engine.state import GOOD_TILL_DATE, SECOND_NS, State
from apps.engine.triggers import first_stop_ticks

# What others are given behind an id has to fit, too.
LINKED_ID_MAX: Final = 58
PAIRED_STOPS: Final = (STOP, STOP_LIMIT, TRAILING_STOP)

# A sender's clock may be this much ahead of the journal's.
CLOCK_SKEW_NS: Final = SECOND_NS
ORDER_VALID_NS: Final = 10 * SECOND_NS + CLOCK_SKEW_NS


def place(
    state: State, command: Place, events: list[AnyEvent], replaced: Order | None = None
) -> None:
    """Who sends it, whether it is new, whether there were too many; then what it asks for.

    Orders are counted within the second. Refused ones count too: this is all they leave behind.
    """
    account = state.accounts.get(command.account_id)
    client_order_id = command.client_order_id
    if not 0 <= command.valid_until_ns - state.now_ns <= ORDER_VALID_NS:
        return _refuse(command, "expired_command", events)
    if command.command_id in state.by_command_id:
        answer = repeat_answer(command, state.by_command_id[command.command_id])
        return _refuse(command, answer, events)
    if account is None:
        return _refuse(command, "unknown_account", events)
    if client_order_id in account.client_ids:
        return _refuse(command, _client_id_answer(command, account), events)
    if (
        len(command.command_id) != COMMAND_ID_BYTES
        or not client_order_id
        or len(client_order_id) > CLIENT_ORDER_ID_MAX
        or not client_order_id.isascii()
        or not client_order_id.isprintable()
    ):
        return _refuse(command, id_refusal(command), events)
    terms, second = command.terms, state.second
    if account.throttle_second != second:
        account.throttle_second = second
        account.placed_orders = account.repeated_orders = 1
        account.last_terms = terms
        return _admit(state, command, account, events, replaced)
    placed = account.placed_orders = account.placed_orders + 1
    # The price is compared first, because it tells most orders apart, and that cheaply.
    if terms.price_ticks == account.last_terms.price_ticks and terms == account.last_terms:
        repeated = account.repeated_orders = account.repeated_orders + 1
    else:
        repeated = account.repeated_orders = 1
        account.last_terms = terms
    if placed > account.placed_orders_max:
        return _refuse(command, "rate_limit", events)
    if repeated > account.repeated_orders_max:
        return _refuse(command, "repeated_order", events)
    return _admit(state, command, account, events, replaced)


def place_pair(state: State, command: PlacePair, events: list[AnyEvent]) -> None:
    """As one order as to its ids and the throttle; what makes two of it comes with its terms."""
    if not command.terms.post_only:
        return _refuse(command, "invalid_pair", events)
    return place(state, command, events)


def replace(state: State, command: Replace, events: list[AnyEvent]) -> None:
    """Places an order in the stead of another, of which hold and seat count as free already.

    They are lifted from the account while the checks look, and put back before anything happens.
    """
    account = state.accounts.get(command.account_id)
    if (
        account is None
        or not 0 <= command.valid_until_ns - state.now_ns <= ORDER_VALID_NS
        or command.command_id in state.by_command_id
        or command.client_order_id in account.client_ids
    ):
        # A repeat is answered as such, though what it replaced is gone.
        return place(state, command, events)
    order = state.orders.get(
        command.replaced_id or state.order_id_of(command.account_id, command.replaced_client_id)
    )
    if order is None or order.account is not account:
        return _refuse(command, "order_not_found", events)
    if (order.terms.market_id, order.side) != (command.terms.market_id, command.terms.side):
        return _refuse(command, "replace_mismatch", events)
    if state.matcher.is_linked(order):
        return _refuse(command, "linked_order", events)
    order.spends.release(order.hold_minor)
    del account.open_orders[order.order_id]
    place(state, command, events, order)
    if order.order_id in state.orders:
        _put_back(order)
        # By number again, as orders enter.
        account.open_orders = dict(sorted(account.open_orders.items()))
    return None


def _put_back(order: Order) -> None:
    order.spends.hold(order.hold_minor)
    order.account.open_orders[order.order_id] = order.terms.market_id


def _refuse(command: Place, answer: Duplicate | str, events: list[AnyEvent]) -> None:
    if isinstance(answer, str):
        events.append(Rejected(answer, command.account_id, command.client_order_id))
    else:
        events.append(answer)


def _client_id_answer(command: Place, account: Account) -> Duplicate | str:
    remembered = account.client_ids[command.client_order_id]
    earlier = remembered.command
    same = isinstance(earlier, Place) and earlier.terms == command.terms
    if isinstance(earlier, PlacePair) or isinstance(command, PlacePair):
        same = _is_same_pair(earlier, command)
    return Duplicate(remembered.seq, remembered.order_id) if same else "id_reused"


def _exits_refusal(account: Account, client_order_id: str, terms: Terms) -> str:
    """Whether the ids are free, and short enough, that what protects a purchase will have."""
    ids = exit_ids(client_order_id, terms)
    if ids and len(client_order_id) > LINKED_ID_MAX:
        return "invalid_order"
    return "id_reused" if any(each in account.client_ids for each in ids) else ""


def _is_same_pair(earlier: AnyCommand, command: Place) -> bool:
    """The stop's id stands for the same command, but not for the same order."""
    return (
        isinstance(earlier, PlacePair)
        and isinstance(command, PlacePair)
        and earlier.client_order_id == command.client_order_id
        and earlier.terms == command.terms
        and earlier.stop_terms == command.stop_terms
    )


def _refusal(state: State, account: Account, terms: Terms, book: Book, client_order_id: str) -> str:
    """What objects to an order that is not plain, or to a plain one after all."""
    return (
        order_refusal(account, terms, book, state.venue_state, state.now_ns)
        or position_refusal(account, terms, book, state.orders)
        or _exits_refusal(account, client_order_id, terms)
    )


def _admit(  # noqa: C901 - the way of a plain order down to its rest in the book, written out
    state: State, command: Place, account: Account, events: list[AnyEvent], replaced: Order | None
) -> None:
    """All checks in their order, the first that refuses is told; then the hold, and in."""
    terms, second = command.terms, state.second
    market_id, client_order_id = terms.market_id, command.client_order_id
    book = state.books.get(market_id)
    if book is None:
        return _refuse(command, "unknown_market", events)
    if book.band_second != second:
        book.fix_band(second)
    instrument = book.instrument
    worst = terms.price_ticks
    fee_ppm = book.fee_ppm_max
    hold = plain = plain_hold_minor(account, terms, book)
    if not plain:
        if isinstance(command, PlacePair):
            return _admit_pair(state, command, account, book, events)
        reason = _refusal(state, account, terms, book, client_order_id)
        if reason:
            return _refuse(command, reason, events)
        worst = worst_price_ticks(terms, book)
        fee_ppm = hold_fee_ppm(terms, instrument)
    side, account_id = terms.side, account.account_id
    purse = book.purses.get(account_id) or book.open_purse(account)
    if side == BUY:
        gains, spends = purse
        spends_id = instrument.quote_asset_id
        own, opposite, key = book.bids, book.asks, worst
    else:
        spends, gains = purse
        spends_id = instrument.base_asset_id
        own, opposite, key = book.asks, book.bids, -worst
    if not plain:
        hold = order_hold_minor(terms, book, worst, spends.available_minor)
    left = spends.available_minor - hold
    if left < 0:
        return _refuse(command, "insufficient_balance", events)
    if replaced is not None:
        _put_back(replaced)
        state.matcher.close(replaced, book, CANCELLED, "replaced", events)
    spends.available_minor = left
    spends.held_minor += hold
    matcher = state.matcher
    order_id = matcher.next_order_id
    matcher.next_order_id = order_id + 1
    lots = terms.quantity_lots
    order = Order(
        order_id, account, client_order_id, terms, instrument,
        side, worst, lots, hold, fee_ppm, spends, gains,
    )  # fmt: skip
    account.open_orders[order_id] = market_id
    account.client_ids[client_order_id] = state.remember(command, order_id)
    events.append(
        Accepted(
            order_id, account_id, client_order_id, terms, spends_id, hold,
            instrument.maker_fee_ppm, instrument.taker_fee_ppm,
        )
    )  # fmt: skip
    matcher.orders[order_id] = order
    if plain and not (opposite.keys and opposite.keys[-1] >= -key):
        order.place = RESTING
        level = own.levels.get(key) or own.open_level(key, worst)
        level.orders[order_id] = order
        events.append(Rested(order_id, account_id, market_id, side, worst, lots))
    else:
        matcher.enter(order, book, own, opposite, second, events)
        if terms.time_in_force == GTD and order_id in matcher.orders:
            state.add_timer(terms.expires_at_ns, state.seq, GOOD_TILL_DATE, order_id)
    return None


# ---------------------------------------------------------------- pairs


def _admit_pair(
    state: State, command: PlacePair, account: Account, book: Book, events: list[AnyEvent]
) -> None:
    """Both orders pass the checks of an order of their own; then the larger need is held once."""
    terms, stop_terms = command.terms, command.stop_terms
    stop_client_id = command.client_order_id + STOP_SUFFIX
    reason = _pair_refusal(state, account, command, book)
    if reason:
        return _refuse(command, reason, events)
    if len(command.client_order_id) > LINKED_ID_MAX:
        return _refuse(command, "invalid_order", events)
    if stop_client_id in account.client_ids:
        return _refuse(command, "id_reused", events)
    limit = _new_order(state, account, command.client_order_id, terms, book)
    stop = _new_order(state, account, stop_client_id, stop_terms, book)
    needed_minor = needed_hold_minor(limit, limit.price_ticks, terms.quantity_lots)
    stop_needed_minor = needed_hold_minor(stop, stop.price_ticks, terms.quantity_lots)
    hold_minor = max(needed_minor, stop_needed_minor)
    if limit.spends.available_minor < hold_minor:
        return _refuse(command, "insufficient_balance", events)
    limit.spends.hold(hold_minor)
    limit.hold_minor = hold_minor
    matcher = state.matcher
    limit.order_id, stop.order_id = matcher.next_order_id, matcher.next_order_id + 1
    matcher.next_order_id += 2
    remembered = state.remember(command, limit.order_id)
    account.client_ids[limit.client_order_id] = remembered
    account.client_ids[stop_client_id] = msgspec.structs.replace(remembered, order_id=stop.order_id)
    for order, other in ((limit, stop), (stop, limit)):
        _note_accepted(order, other.order_id, book, events)
        state.orders[order.order_id] = order
        account.open_orders[order.order_id] = terms.market_id
        if terms.time_in_force == GTD:
            state.add_timer(terms.expires_at_ns, state.seq, GOOD_TILL_DATE, order.order_id)
    matcher.pair_up(limit.order_id, stop.order_id)
    own, opposite = book.side(terms.side), book.opposite(terms.side)
    matcher.enter(stop, book, own, opposite, state.second, events)
    matcher.enter(limit, book, own, opposite, state.second, events)
    return None


def _pair_refusal(state: State, account: Account, command: PlacePair, book: Book) -> str:
    terms, stop_terms = command.terms, command.stop_terms
    if terms.special is not None or has_exits(stop_terms):
        return "invalid_pair"
    if stop_terms.order_type not in PAIRED_STOPS:
        return "invalid_pair"
    if _shared_terms(terms) != _shared_terms(stop_terms):
        return "invalid_pair"
    reason = _refusal(state, account, terms, book, "") or order_refusal(
        account, stop_terms, book, state.venue_state, state.now_ns
    )
    if reason:
        return reason
    if not pair_is_apart(terms, first_stop_ticks(stop_terms, book.last_ticks)):
        return "invalid_pair"
    return "max_open_orders" if len(account.open_orders) + 2 > account.open_orders_max else ""


def _shared_terms(terms: Terms) -> tuple[int, ...]:
    """What both orders of a pair have in common."""
    return (
        terms.market_id, terms.side, terms.quantity_lots, terms.time_in_force,
        terms.expires_at_ns, terms.self_trade,
    )  # fmt: skip


def _new_order(
    state: State, account: Account, client_order_id: str, terms: Terms, book: Book
) -> Order:
    """An order without number and hold yet."""
    base, quote = book.purses.get(account.account_id) or book.open_purse(account)
    spends, gains = (quote, base) if terms.side == BUY else (base, quote)
    return Order(
        0, account, client_order_id, terms, book.instrument, terms.side,
        worst_price_ticks(terms, book), terms.quantity_lots, 0,
        hold_fee_ppm(terms, book.instrument), spends, gains,
    )  # fmt: skip


def _note_accepted(order: Order, pair_order_id: int, book: Book, events: list[AnyEvent]) -> None:
    instrument = book.instrument
    buys = order.side == BUY
    events.append(
        Accepted(
            order.order_id, order.account.account_id, order.client_order_id, order.terms,
            instrument.quote_asset_id if buys else instrument.base_asset_id, order.hold_minor,
            instrument.maker_fee_ppm, instrument.taker_fee_ppm, pair_order_id,
        )
    )  # fmt: skip
