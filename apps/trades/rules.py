"""Names of what an order can be, outside and in the engine, and what it would have to reserve.

The engine decides; the sums here are only for telling people what it took into account.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from apps.engine import messages
from apps.engine.messages import Terms

SIDES: Final = {"buy": messages.BUY, "sell": messages.SELL}
ORDER_TYPES: Final = {
    "limit": messages.LIMIT,
    "market": messages.MARKET,
    "stop": messages.STOP,
    "stop_limit": messages.STOP_LIMIT,
    "take_profit": messages.TAKE_PROFIT,
    "take_profit_limit": messages.TAKE_PROFIT_LIMIT,
    "trailing_stop": messages.TRAILING_STOP,
}
# The others trade at what the market gives.
PRICED_TYPES: Final = (messages.LIMIT, messages.STOP_LIMIT, messages.TAKE_PROFIT_LIMIT)
TIMES_IN_FORCE: Final = {
    "gtc": messages.GTC,
    "ioc": messages.IOC,
    "fok": messages.FOK,
    "gtd": messages.GTD,
}
SELF_TRADES: Final = {
    "expire_taker": messages.EXPIRE_TAKER,
    "expire_maker": messages.EXPIRE_MAKER,
    "expire_both": messages.EXPIRE_BOTH,
    "decrement": messages.DECREMENT,
}
_ANY: Final = (messages.GTC, messages.IOC, messages.FOK, messages.GTD)
_WAITS: Final = (messages.GTC, messages.GTD)
# A market order never rests; a stop waits for its trigger, so it cannot be immediate.
TIMES_IN_FORCE_BY_TYPE: Final = {
    messages.LIMIT: _ANY,
    messages.MARKET: (messages.IOC, messages.FOK),
    messages.STOP: _WAITS,
    messages.STOP_LIMIT: _ANY,
    messages.TAKE_PROFIT: _WAITS,
    messages.TAKE_PROFIT_LIMIT: _ANY,
    messages.TRAILING_STOP: _WAITS,
}
SIDE_NAMES: Final = {value: name for name, value in SIDES.items()}
ORDER_TYPE_NAMES: Final = {value: name for name, value in ORDER_TYPES.items()}
TIME_IN_FORCE_NAMES: Final = {value: name for name, value in TIMES_IN_FORCE.items()}
SELF_TRADE_NAMES: Final = {value: name for name, value in SELF_TRADES.items()}

CLIENT_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

# A hundredth of a percent is a basis point.
PERCENT_DECIMALS: Final = 2

PPM: Final = 1_000_000
BPS: Final = 10_000


class Market(Protocol):
    """What of an instrument decides how much an order reserves."""

    @property
    def lot_minor(self) -> int: ...
    @property
    def tick_lot_minor(self) -> int: ...
    @property
    def maker_fee_ppm(self) -> int: ...
    @property
    def taker_fee_ppm(self) -> int: ...
    @property
    def band_bps(self) -> int: ...


def needed_minor(terms: Terms, market: Market) -> int | None:
    """Return what an order must reserve: of base to sell, of quote to buy, its worst fee included.

    None for a market buy by quantity, which reserves at most what there is, and for a trailing
    stop that buys, whose first stop depends on the last price.
    """
    if terms.side == messages.SELL:
        return terms.quantity_lots * market.lot_minor
    if terms.quote_minor:
        return terms.quote_minor
    if terms.order_type in (messages.MARKET, messages.TRAILING_STOP):
        return None
    price_ticks = terms.price_ticks or terms.stop_ticks * (BPS + market.band_bps) // BPS
    notional = terms.quantity_lots * price_ticks * market.tick_lot_minor
    fee = -(-notional * _worst_fee_ppm(terms, market) // PPM)
    return notional + fee + 1


def _worst_fee_ppm(terms: Terms, market: Market) -> int:
    if terms.post_only:
        return market.maker_fee_ppm
    if not terms.price_ticks or terms.time_in_force in (messages.IOC, messages.FOK):
        return market.taker_fee_ppm
    return max(market.maker_fee_ppm, market.taker_fee_ppm)
