"""Checks before the book: pure questions of an order and what surrounds it.

Each answers with the stable reason of a refusal, or "". Nothing here changes anything. The order
of the checks is part of the rules: the first that refuses is told.
"""

from __future__ import annotations

from typing import Final

from apps.engine.balances import Account
from apps.engine.book import Book, Order
from apps.engine.brackets import exit_ids, exits_are_known, exits_refusal, has_exits
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    PHASE_LIMIT,
    REDUCE_ONLY,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Instrument,
    Limits,
    Place,
    Special,
    Terms,
)
from apps.engine.rates import (
    BPS,
    PPM,
    buy_hold_minor,
    notional_within_minor,
    worst_in_band_ticks,
)
from apps.engine.triggers import first_stop_ticks, waits_for_rise

FEE_PPM_MAX: Final = 100_000
ID_MAX: Final = 2**31 - 1
COMMAND_ID_BYTES: Final = 16
CLIENT_ORDER_ID_MAX: Final = 64
TEXT_MAX: Final = 200
PHASE_SECONDS_MAX: Final = 24 * 3600
TRAIL_BPS_MAX: Final = 5_000
ICEBERG_PARTS_MAX: Final = 100
SELF_TRADE_MODES: Final = (EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT)


def plain_hold_minor(account: Account, terms: Terms, book: Book) -> int:
    """What a limit order reserves that is good till cancelled and to which nothing objects.

    Nearly all orders are such, so this asks everything at once. Zero means that something is
    different: then ``order_refusal`` takes the order apart, which alone knows the reasons.
    """
    instrument = book.instrument
    price, lots = terms.price_ticks, terms.quantity_lots
    notional = price * lots * instrument.tick_lot_minor
    if not (
        terms.order_type == LIMIT
        and terms.time_in_force == GTC
        and not terms.stop_ticks
        and not terms.quote_minor
        and not terms.expires_at_ns
        and not terms.post_only
        and terms.special is None
        and terms.self_trade in SELF_TRADE_MODES
        and instrument.min_quantity_lots <= lots <= book.plain_lots_max
        and book.notional_min_minor <= notional <= book.notional_max_minor
        and len(account.open_orders) < account.plain_orders_max
    ):
        return 0
    if terms.side == BUY:
        if price > book.upper_ticks:
            return 0
        return notional + (notional * book.fee_ppm_max + 999_999) // PPM + 1
    if price < book.lower_ticks or terms.side != SELL:
        return 0
    return lots * instrument.lot_minor


def order_refusal(account: Account, terms: Terms, book: Book, venue_state: int, now_ns: int) -> str:
    """Everything but position and balance. The band of the book is fixed for this command."""
    return (
        state_refusal(account.state, venue_state, book.instrument.state, terms.side)
        or shape_refusal(terms, now_ns)
        or price_refusal(terms, book)
        or exits_refusal(terms, book)
        or size_refusal(account, terms, book)
        or open_orders_refusal(account, terms)
    )


def shape_refusal(terms: Terms, now_ns: int) -> str:
    if not shape_is_known(terms, now_ns):
        return "invalid_order"
    if terms.order_type in _PRICED and not 1 <= terms.price_ticks <= AMOUNT_MAX:
        return "invalid_price"
    may_be_left_out = terms.order_type == TRAILING_STOP and not terms.stop_ticks
    if terms.order_type in _STOPS and not (may_be_left_out or 1 <= terms.stop_ticks <= AMOUNT_MAX):
        return "invalid_price"
    if not 1 <= (terms.quote_minor or terms.quantity_lots) <= AMOUNT_MAX:
        return "invalid_quantity"
    return ""


def shape_is_known(terms: Terms, now_ns: int) -> bool:
    """Whether the fields of the terms belong together; ``Terms`` has the table."""
    kind, force = terms.order_type, terms.time_in_force
    if (kind, force) not in _FORCES or terms.side not in (BUY, SELL):
        return False
    if terms.self_trade not in SELF_TRADE_MODES or not special_is_known(terms):
        return False
    if terms.post_only and (kind != LIMIT or force not in (GTC, GTD)):
        return False
    if (terms.price_ticks and kind not in _PRICED) or (terms.stop_ticks and kind not in _STOPS):
        return False
    if terms.quote_minor:
        by_budget = kind == MARKET and terms.side == BUY and force == IOC
        if not by_budget or terms.quantity_lots or terms.self_trade == DECREMENT:
            return False
    if force == GTD:
        return now_ns < terms.expires_at_ns <= AMOUNT_MAX
    return terms.expires_at_ns == 0


def special_is_known(terms: Terms) -> bool:
    """What goes with which type, one thing at least where anything is asked for."""
    special = terms.special
    if special is None:
        return terms.order_type != TRAILING_STOP
    if has_exits(terms):
        return exits_are_known(terms, special)
    if terms.order_type == LIMIT:
        part = special.display_lots
        in_range = 1 <= part < terms.quantity_lots <= part * ICEBERG_PARTS_MAX
        stays = terms.time_in_force in (GTC, GTD)
        return in_range and stays and special == Special(display_lots=part)
    if terms.order_type != TRAILING_STOP:
        return False
    ticks, bps = special.trail_ticks, special.trail_bps
    in_range = 0 <= ticks <= AMOUNT_MAX and 0 <= bps <= TRAIL_BPS_MAX
    one_distance = in_range and (ticks > 0) != (bps > 0)
    return one_distance and special == Special(trail_ticks=ticks, trail_bps=bps)


_PRICED: Final = (LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT)
_STOPS: Final = (STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP)
_FORCES: Final = frozenset(
    {(kind, force) for kind in _PRICED for force in (GTC, IOC, FOK, GTD)}
    | {(kind, force) for kind in (STOP, TAKE_PROFIT, TRAILING_STOP) for force in (GTC, GTD)}
    | {(MARKET, IOC), (MARKET, FOK)}
)


def price_refusal(terms: Terms, book: Book) -> str:
    if book.phase > PHASE_LIMIT:
        return auction_refusal(terms, book)
    if terms.order_type == MARKET:
        bounded = book.reference_ticks or book.opposite(terms.side).keys
        return "" if bounded else "no_reference"
    if terms.order_type != LIMIT:
        return stop_price_refusal(terms, book)
    return limit_price_refusal(terms, book)


def auction_refusal(terms: Terms, book: Book) -> str:
    """An auction takes what may rest, at any price: its own price is bounded, not the orders'."""
    collected = terms.order_type == LIMIT and terms.time_in_force in (GTC, GTD)
    return uncrossing_refusal(book) if collected else "auction_limit_only"


def uncrossing_refusal(book: Book) -> str:
    """Nobody joins an auction that is trading already."""
    return "auction_uncrossing" if book.uncross_ticks else ""


def limit_price_refusal(terms: Terms, book: Book) -> str:
    """The band bounds only the aggressive side; far away a limit order may wait."""
    if book.phase > PHASE_LIMIT:
        return uncrossing_refusal(book)
    side, price = terms.side, terms.price_ticks
    if price > book.upper_ticks if side == BUY else price < book.lower_ticks:
        return "price_band"
    if terms.post_only and crosses(book, side, price):
        return "post_only_would_take"
    return ""


def stop_price_refusal(terms: Terms, book: Book) -> str:
    side, stop, price = terms.side, terms.stop_ticks, terms.price_ticks
    last = book.last_ticks
    if stop and last and (stop <= last if waits_for_rise(terms) else stop >= last):
        return "would_trigger"
    if terms.order_type == TRAILING_STOP:
        if not stop and not last:
            return "no_reference"
        return "" if 1 <= first_stop_ticks(terms, last) <= AMOUNT_MAX else "invalid_price"
    if price:
        # When this order wakes up, the reference will be somewhere near its stop price.
        worst = worst_in_band_ticks(side, stop, book.instrument.band_bps)
        if price > worst if side == BUY else price < worst:
            return "price_band"
    return ""


def size_refusal(account: Account, terms: Terms, book: Book, *, shrinks: bool = False) -> str:
    """Quantity and notional against the limits of the market and of the account.

    What becomes less is held to the least alone: the most may have been lowered since.
    """
    instrument = book.instrument
    small = account.limits.below_minimums
    lots = terms.quantity_lots
    notional = terms.quote_minor
    if not notional:
        if lots > book.lots_max and not shrinks:
            return "max_quantity"
        # Each part of an iceberg is as large as an order has to be.
        smallest = (terms.special.display_lots if terms.special is not None else 0) or lots
        if smallest < instrument.min_quantity_lots and not small:
            return "min_quantity"
        price = terms.price_ticks or wake_ticks(terms, book)
        notional = price * lots * instrument.tick_lot_minor
    reason = "" if shrinks else value_refusal(account.limits, notional, book)
    if not reason and notional < instrument.min_notional_minor and not small:
        return "min_notional"
    return reason


def value_refusal(limits: Limits, notional_minor: int, book: Book) -> str:
    """The most that an order may be worth, in this market and for this account in any market."""
    if notional_minor > book.notional_max_minor:
        return "max_notional"
    most, asset_id = limits.max_order_notional_minor, limits.notional_asset_id
    if most and asset_id and book.worth_minor(notional_minor, asset_id) > most:
        return "max_order_notional"
    return ""


def open_orders_refusal(account: Account, terms: Terms) -> str:
    """What is to protect a purchase counts from the start."""
    orders = int(may_stay(terms)) + len(exit_ids("", terms))
    full = len(account.open_orders) + orders > account.open_orders_max
    return "max_open_orders" if full and orders else ""


def state_refusal(account_state: int, venue_state: int, market_state: int, side: int) -> str:
    if account_state == BLOCKED:
        return "account_blocked"
    if venue_state == HALTED:
        return "venue_halted"
    if market_state == HALTED:
        return "market_halted"
    if venue_state == CANCEL_ONLY or market_state == CANCEL_ONLY:
        return "cancel_only"
    if account_state == REDUCE_ONLY and side == BUY:
        return "reduce_only"
    return ""


def crosses(book: Book, side: int, price_ticks: int) -> bool:
    opposite = book.opposite(side)
    return bool(opposite.keys) and opposite.keys[-1] >= price_ticks * opposite.sign


def position_refusal(account: Account, terms: Terms, book: Book, orders: dict[int, Order]) -> str:
    """Holding plus open buys plus this buy, in lots, against the market's position limit."""
    instrument = book.instrument
    if not instrument.max_position_lots or terms.side != BUY:
        return ""
    lots = position_lots(account, instrument, orders)
    if terms.quote_minor and book.asks.keys:
        # At most what the budget buys at the best price there is.
        notional = notional_within_minor(terms.quote_minor, instrument.taker_fee_ppm)
        lots += notional // (book.asks.best_ticks() * instrument.tick_lot_minor)
    else:
        lots += terms.quantity_lots
    return "max_position" if lots > instrument.max_position_lots else ""


def position_lots(account: Account, instrument: Instrument, orders: dict[int, Order]) -> int:
    """What an account has and may still buy by its open orders."""
    balance = account.balances.get(instrument.base_asset_id)
    held = 0 if balance is None else balance.available_minor + balance.held_minor
    lots = held // instrument.lot_minor + account.leg_lots.get(instrument.market_id, 0)
    for order_id, market_id in account.open_orders.items():
        order = orders[order_id]
        # The stop of a pair holds nothing, and buys only what the limit order does not.
        if market_id == instrument.market_id and order.side == BUY and order.hold_minor:
            lots += order.left_lots
    return lots


def may_stay(terms: Terms) -> bool:
    """Whether an order can outlive its command; the others do not count as open orders."""
    if terms.order_type == LIMIT:
        return terms.time_in_force in (GTC, GTD)
    return terms.order_type != MARKET


def market_reference_ticks(side: int, book: Book) -> int:
    """A market order before the first trade is bounded around the best price it meets."""
    return book.reference_ticks or book.opposite(side).best_ticks()


def wake_ticks(terms: Terms, book: Book) -> int:
    """Around which price an order without a limit will trade, as things stand."""
    if terms.order_type == MARKET:
        return market_reference_ticks(terms.side, book)
    return first_stop_ticks(terms, book.last_ticks)


def worst_price_ticks(terms: Terms, book: Book) -> int:
    """The price beyond which an order never trades."""
    if terms.price_ticks:
        return terms.price_ticks
    around = wake_ticks(terms, book)
    return worst_in_band_ticks(terms.side, around, book.instrument.band_bps)


def hold_fee_ppm(terms: Terms, instrument: Instrument) -> int:
    """The highest rate that can apply to this order in any of its roles."""
    if terms.post_only:
        return instrument.maker_fee_ppm
    if not terms.price_ticks or terms.time_in_force in (IOC, FOK):
        return instrument.taker_fee_ppm
    maker, taker = instrument.maker_fee_ppm, instrument.taker_fee_ppm
    return maker if maker > taker else taker


def order_hold_minor(terms: Terms, book: Book, worst_ticks: int, available_minor: int) -> int:
    """What an order reserves: more than is available for a market buy that it buys no lot."""
    instrument = book.instrument
    if terms.side != BUY:
        return terms.quantity_lots * instrument.lot_minor
    if terms.quote_minor:
        return terms.quote_minor
    lot_value = instrument.tick_lot_minor
    fee_ppm = hold_fee_ppm(terms, instrument)
    hold = buy_hold_minor(terms.quantity_lots * worst_ticks * lot_value, fee_ppm)
    if terms.order_type != MARKET or hold <= available_minor:
        return hold
    # A market order reserves at most what is available, and fills as far as that goes.
    best = book.asks.best_ticks()
    if not available_minor or best * lot_value > notional_within_minor(available_minor, fee_ppm):
        return available_minor + 1
    return available_minor


def instrument_refusal(instrument: Instrument) -> str:
    """Whether the numbers of a market make sense."""
    valid = (
        1 <= instrument.market_id <= ID_MAX
        and 1 <= instrument.base_asset_id <= ID_MAX
        and 1 <= instrument.quote_asset_id <= ID_MAX
        and instrument.base_asset_id != instrument.quote_asset_id
        and 1 <= instrument.lot_minor <= AMOUNT_MAX
        and 1 <= instrument.tick_lot_minor <= AMOUNT_MAX
        and 1 <= instrument.min_quantity_lots <= (instrument.max_quantity_lots or AMOUNT_MAX)
        and 0 <= instrument.max_quantity_lots <= AMOUNT_MAX
        and 0 <= instrument.min_notional_minor <= (instrument.max_notional_minor or AMOUNT_MAX)
        and 0 <= instrument.max_notional_minor <= AMOUNT_MAX
        and 0 <= instrument.maker_fee_ppm <= FEE_PPM_MAX
        and 0 <= instrument.taker_fee_ppm <= FEE_PPM_MAX
        and 1 <= instrument.band_bps <= BPS
        and state_is_known(instrument.state)
        and 0 <= instrument.max_position_lots <= AMOUNT_MAX
        and text_is_safe(instrument.symbol)
        and 0 <= instrument.limit_state_seconds <= PHASE_SECONDS_MAX
        and 0 <= instrument.halt_seconds <= PHASE_SECONDS_MAX
    )
    return "" if valid else "invalid_instrument"


def account_refusal(account_id: int, trade_group: int, limits: Limits) -> str:
    valid = (
        1 <= account_id <= AMOUNT_MAX
        and -AMOUNT_MAX <= trade_group <= AMOUNT_MAX
        and 0 <= limits.max_open_orders <= ID_MAX
        and 0 <= limits.orders_per_second <= ID_MAX
        and 0 <= limits.repeated_orders_per_second <= ID_MAX
        and 0 <= limits.max_order_notional_minor <= AMOUNT_MAX
        and 0 <= limits.notional_asset_id <= ID_MAX
    )
    return "" if valid else "invalid_account"


def state_is_known(state: int) -> bool:
    """Accounts, markets and the venue have three states each, numbered alike."""
    return state in (1, 2, 3)


def id_refusal(command: Place) -> str:
    """Which of the two ids is not acceptable, given that one is not.

    Client order ids are printable ASCII: they end up in tables, logs and addresses.
    """
    if len(command.command_id) != COMMAND_ID_BYTES:
        return "invalid_command"
    if not command.client_order_id:
        return "client_order_id_required"
    return "invalid_order"


def client_order_id_is_valid(client_order_id: str) -> bool:
    return (
        0 < len(client_order_id) <= CLIENT_ORDER_ID_MAX
        and client_order_id.isascii()
        and client_order_id.isprintable()
    )


def text_is_safe(text: str) -> bool:
    """Short, and without the one character that databases refuse."""
    return len(text) <= TEXT_MAX and "\x00" not in text
