"""Checks before the book, and the amounts an order reserves: pure functions of plain values.

Each check answers with the stable reason of a refusal, or "". Nothing here changes anything.
"""

from __future__ import annotations

from typing import Final

from apps.engine.balances import Account
from apps.engine.book import Book, Order
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    EXPIRE_BOTH,
    EXPIRE_TAKER,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    OPEN,
    REDUCE_ONLY,
    SELL,
    STOP,
    STOP_LIMIT,
    Instrument,
    Limits,
    Terms,
)

PPM: Final = 1_000_000
BPS: Final = 10_000
SECOND_NS: Final = 1_000_000_000
FEE_PPM_MAX: Final = 100_000
ID_MAX: Final = 2**31 - 1
CLIENT_ORDER_ID_MAX: Final = 64


def upper_band_ticks(price_ticks: int, band_bps: int) -> int:
    return price_ticks * (BPS + band_bps) // BPS


def lower_band_ticks(price_ticks: int, band_bps: int) -> int:
    return max(1, -(-price_ticks * (BPS - band_bps) // BPS))


def band_ticks(side: int, price_ticks: int, band_bps: int) -> int:
    """The worst price at which an order of this side may trade around a reference."""
    if side == BUY:
        return upper_band_ticks(price_ticks, band_bps)
    return lower_band_ticks(price_ticks, band_bps)


def fee_minor(notional_minor: int, fee_ppm: int) -> int:
    """Rounded up, into the house."""
    return -(-notional_minor * fee_ppm // PPM)


def buy_hold_minor(notional_minor: int, fee_ppm: int) -> int:
    """What a buy reserves for a worst-case notional: two fee roles round up once each."""
    return notional_minor + fee_minor(notional_minor, fee_ppm) + 1


def notional_within_minor(budget_minor: int, fee_ppm: int) -> int:
    """The largest notional that a budget pays together with its fee, exactly."""
    return budget_minor * PPM // (PPM + fee_ppm)


def buy_order_hold_minor(
    terms: Terms, book: Book, worst_ticks: int, fee_ppm: int, available_minor: int
) -> int:
    """What a buy order reserves; zero when what is available buys not even one lot.

    A budget is reserved whole. A market order by quantity reserves at most what is available and
    fills as far as that goes.
    """
    if terms.quote_minor:
        return terms.quote_minor
    lot_value = book.instrument.tick_lot_minor
    hold = buy_hold_minor(terms.quantity_lots * worst_ticks * lot_value, fee_ppm)
    if terms.order_type != MARKET or hold <= available_minor:
        return hold
    best = book.asks.best_ticks()
    if best * lot_value > notional_within_minor(available_minor, fee_ppm):
        return 0
    return available_minor


def hold_fee_ppm(terms: Terms, instrument: Instrument) -> int:
    """The highest rate that can apply to this order in any of its roles."""
    if terms.post_only:
        return instrument.maker_fee_ppm
    if terms.order_type in (MARKET, STOP) or terms.time_in_force in (IOC, FOK):
        return instrument.taker_fee_ppm
    return max(instrument.maker_fee_ppm, instrument.taker_fee_ppm)


def client_order_id_refusal(client_order_id: str) -> str:
    if not client_order_id:
        return "client_order_id_required"
    if (
        len(client_order_id) > CLIENT_ORDER_ID_MAX
        or not client_order_id.isascii()
        or not client_order_id.isprintable()
    ):
        return "invalid_order"
    return ""


def throttle_refusal(account: Account, terms: Terms, now_ns: int) -> str:
    """Counts the order and compares. Refused orders count too: this is all they leave behind."""
    second = now_ns // SECOND_NS
    if account.throttle_second != second:
        account.throttle_second = second
        account.throttle_orders = 1
        account.repeated_orders = 1
    else:
        account.throttle_orders += 1
        if terms == account.last_terms:
            account.repeated_orders += 1
        else:
            account.repeated_orders = 1
    account.last_terms = terms
    limits = account.limits
    if account.throttle_orders > limits.orders_per_second > 0:
        return "rate_limit"
    if account.repeated_orders > limits.repeated_orders_per_second > 0:
        return "repeated_order"
    return ""


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


def shape_refusal(terms: Terms, now_ns: int) -> str:
    """Whether the fields of the terms belong together; ``Terms`` has the table."""
    kind, force = terms.order_type, terms.time_in_force
    if terms.side not in (BUY, SELL) or not EXPIRE_TAKER <= terms.self_trade <= EXPIRE_BOTH:
        return "invalid_order"
    if kind == LIMIT or kind == STOP_LIMIT:
        if not GTC <= force <= GTD or terms.quote_minor:
            return "invalid_order"
        if not 1 <= terms.price_ticks <= AMOUNT_MAX:
            return "invalid_price"
    elif kind == MARKET or kind == STOP:
        if force not in ((IOC, FOK) if kind == MARKET else (GTC, GTD)) or terms.price_ticks:
            return "invalid_order"
    else:
        return "invalid_order"
    if kind == STOP or kind == STOP_LIMIT:
        if not 1 <= terms.stop_ticks <= AMOUNT_MAX:
            return "invalid_price"
    elif terms.stop_ticks:
        return "invalid_order"
    if terms.post_only and (kind != LIMIT or force not in (GTC, GTD)):
        return "invalid_order"
    if force == GTD:
        if not now_ns < terms.expires_at_ns <= AMOUNT_MAX:
            return "invalid_order"
    elif terms.expires_at_ns:
        return "invalid_order"
    return _amount_shape_refusal(terms)


def _amount_shape_refusal(terms: Terms) -> str:
    if not terms.quote_minor:
        return "" if 1 <= terms.quantity_lots <= AMOUNT_MAX else "invalid_quantity"
    if (
        terms.order_type != MARKET
        or terms.side != BUY
        or terms.time_in_force != IOC
        or terms.quantity_lots
    ):
        return "invalid_order"
    return "" if 1 <= terms.quote_minor <= AMOUNT_MAX else "invalid_quantity"


def size_refusal(
    terms: Terms, instrument: Instrument, price_ticks: int, below_minimums: bool
) -> str:
    """Quantity and notional against the market's limits; ``price_ticks`` values the quantity."""
    if terms.quote_minor:
        notional = terms.quote_minor
    else:
        quantity = terms.quantity_lots
        if quantity < instrument.min_quantity_lots and not below_minimums:
            return "min_quantity"
        if quantity > instrument.max_quantity_lots > 0 or (
            quantity * instrument.lot_minor > AMOUNT_MAX
        ):
            return "max_quantity"
        notional = price_ticks * quantity * instrument.tick_lot_minor
    if notional < instrument.min_notional_minor and not below_minimums:
        return "min_notional"
    if notional > (instrument.max_notional_minor or AMOUNT_MAX):
        return "max_notional"
    return ""


def price_refusal(terms: Terms, book: Book, reference_ticks: int) -> str:
    """Band, stops that are crossed already, and post-only orders that would take."""
    kind, side, price = terms.order_type, terms.side, terms.price_ticks
    band_bps = book.instrument.band_bps
    if kind == LIMIT:
        if reference_ticks:
            if side == BUY:
                if price > upper_band_ticks(reference_ticks, band_bps):
                    return "price_band"
            elif price < lower_band_ticks(reference_ticks, band_bps):
                return "price_band"
        if terms.post_only and crosses(book, side, price):
            return "post_only_would_take"
        return ""
    if kind == MARKET:
        opposite = book.asks if side == BUY else book.bids
        return "" if reference_ticks or opposite.keys else "no_reference"
    stop, last = terms.stop_ticks, book.last_ticks
    if last and (stop <= last if side == BUY else stop >= last):
        return "would_trigger"
    if kind == STOP_LIMIT:
        # The stop price is what the reference will be near when this order wakes up.
        worst = band_ticks(side, stop, band_bps)
        if price > worst if side == BUY else price < worst:
            return "price_band"
    return ""


def crosses(book: Book, side: int, price_ticks: int) -> bool:
    if side == BUY:
        best = book.asks.best_ticks()
        return best != 0 and best <= price_ticks
    return book.bids.best_ticks() >= price_ticks


def valuation_ticks(terms: Terms, book: Book, reference_ticks: int) -> int:
    """The price that turns an order's quantity into a notional for the market's limits."""
    if terms.order_type == MARKET:
        return market_reference_ticks(terms.side, book, reference_ticks)
    return terms.price_ticks or terms.stop_ticks


def market_reference_ticks(side: int, book: Book, reference_ticks: int) -> int:
    """A market order before the first trade is bounded around the best price it meets."""
    if reference_ticks:
        return reference_ticks
    return (book.asks if side == BUY else book.bids).best_ticks()


def worst_price_ticks(terms: Terms, book: Book, reference_ticks: int) -> int:
    if terms.order_type == MARKET:
        around = market_reference_ticks(terms.side, book, reference_ticks)
        return band_ticks(terms.side, around, book.instrument.band_bps)
    if terms.order_type == STOP:
        return band_ticks(terms.side, terms.stop_ticks, book.instrument.band_bps)
    return terms.price_ticks


def open_orders_refusal(account: Account, terms: Terms) -> str:
    """Orders that cannot stay do not count against the number of those that do."""
    if terms.order_type == MARKET or (
        terms.order_type == LIMIT and terms.time_in_force in (IOC, FOK)
    ):
        return ""
    limit = account.limits.max_open_orders
    return "max_open_orders" if limit and len(account.open_orders) >= limit else ""


def position_refusal(account: Account, terms: Terms, book: Book, orders: dict[int, Order]) -> str:
    """Holding plus open buys plus this buy, in lots, against the market's position limit."""
    instrument = book.instrument
    if terms.side != BUY or not instrument.max_position_lots:
        return ""
    balance = account.balances.get(instrument.base_asset_id)
    held = 0 if balance is None else balance.available_minor + balance.held_minor
    lots = held // instrument.lot_minor
    for order_id, market_id in account.open_orders.items():
        if market_id == instrument.market_id and orders[order_id].side == BUY:
            lots += orders[order_id].remaining_lots
    if terms.quote_minor:
        best = book.asks.best_ticks()
        notional = notional_within_minor(terms.quote_minor, instrument.taker_fee_ppm)
        lots += notional // (best * instrument.tick_lot_minor) if best else 0
    else:
        lots += terms.quantity_lots
    return "max_position" if lots > instrument.max_position_lots else ""


def instrument_refusal(instrument: Instrument) -> str:
    """Whether the numbers of a market make sense."""
    valid = (
        1 <= instrument.market_id <= ID_MAX
        and 1 <= instrument.base_asset_id <= ID_MAX
        and 1 <= instrument.quote_asset_id <= ID_MAX
        and instrument.base_asset_id != instrument.quote_asset_id
        and 1 <= instrument.lot_minor <= AMOUNT_MAX
        and 1 <= instrument.tick_lot_minor <= AMOUNT_MAX
        and 1 <= instrument.min_quantity_lots <= AMOUNT_MAX
        and 0 <= instrument.max_quantity_lots <= AMOUNT_MAX
        and instrument.min_quantity_lots <= (instrument.max_quantity_lots or AMOUNT_MAX)
        and 0 <= instrument.min_notional_minor <= AMOUNT_MAX
        and 0 <= instrument.max_notional_minor <= AMOUNT_MAX
        and instrument.min_notional_minor <= (instrument.max_notional_minor or AMOUNT_MAX)
        and 0 <= instrument.maker_fee_ppm <= FEE_PPM_MAX
        and 0 <= instrument.taker_fee_ppm <= FEE_PPM_MAX
        and 1 <= instrument.band_bps <= BPS
        and OPEN <= instrument.state <= HALTED
        and 0 <= instrument.max_position_lots <= AMOUNT_MAX
        and text_is_safe(instrument.symbol)
    )
    return "" if valid else "invalid_instrument"


def account_refusal(account_id: int, trade_group: int, limits: Limits) -> str:
    valid = (
        1 <= account_id <= AMOUNT_MAX
        and -AMOUNT_MAX <= trade_group <= AMOUNT_MAX
        and 0 <= limits.max_open_orders <= ID_MAX
        and 0 <= limits.orders_per_second <= ID_MAX
        and 0 <= limits.repeated_orders_per_second <= ID_MAX
    )
    return "" if valid else "invalid_account"


def state_is_known(state: int) -> bool:
    """Accounts, markets and the venue have three states each, numbered alike."""
    return state in (1, 2, 3)


def text_is_safe(text: str) -> bool:
    """Short, and without the one character that databases refuse."""
    return len(text) <= 200 and "\x00" not in text
