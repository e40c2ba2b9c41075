"""What messages are made of: the terms of an order, the heads of commands and events.

``messages`` passes on the names of this module, and is where others read them.
"""

from __future__ import annotations

from typing import Final

import msgspec

# Fixed accounts. The external account stands for the world outside: it alone may go negative.
EXTERNAL_ACCOUNT_ID: Final = 1
FEE_ACCOUNT_ID: Final = 2

BUY: Final = 1
SELL: Final = 2

EXPIRE_TAKER: Final = 1


class Special(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What few orders ask for besides; zero stands for nothing.

    ``display_lots``: the part of an iceberg that the book shows. ``trail_ticks`` or ``trail_bps``:
    how far a trailing stop stays behind the best price since it became active.
    ``take_profit_ticks`` and ``stop_loss_ticks``: what protects a purchase once it has filled,
    ``stop_loss_limit_ticks`` the worst price of the stop where it is to be a stop-limit.
    """

    display_lots: int = 0
    trail_ticks: int = 0
    trail_bps: int = 0
    take_profit_ticks: int = 0
    stop_loss_ticks: int = 0
    stop_loss_limit_ticks: int = 0


class Terms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the owner of an order asked for. Two orders with equal terms have the same body.

    Which fields and times in force go with which type; what is not named stays zero, and anything
    else is refused as ``invalid_order``:

    LIMIT          quantity_lots, price_ticks               GTC, IOC, FOK, GTD; post_only: GTC, GTD
    MARKET         quantity_lots (or, to buy, quote_minor)  IOC, FOK (by quote amount: IOC)
    STOP           quantity_lots, stop_ticks                GTC, GTD
    STOP_LIMIT     quantity_lots, stop_ticks, price_ticks   GTC, IOC, FOK, GTD, once triggered
    TRAILING_STOP  quantity_lots, special.trail_ticks or    GTC, GTD
                   special.trail_bps; stop_ticks is where it becomes active, zero for at once

    TAKE_PROFIT and TAKE_PROFIT_LIMIT are as STOP and STOP_LIMIT, with ``stop_ticks`` on the other
    side of the last price.

    ``expires_at_ns`` goes with GTD, and only there.
    """

    market_id: int
    side: int
    order_type: int
    time_in_force: int
    quantity_lots: int = 0
    quote_minor: int = 0
    price_ticks: int = 0
    stop_ticks: int = 0
    expires_at_ns: int = 0
    post_only: bool = False
    self_trade: int = EXPIRE_TAKER
    special: Special | None = None


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Head of every command. ``command_id`` is 16 bytes, unique per intent, kept over re-sends."""

    command_id: bytes
    valid_until_ns: int


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that has happened. Its sequence number and time are those of its command."""
