"""What the clients of the engine want: mostly orders, and now and then everything else there is.

Prices go up and down by some hundredths of a percent, so that stops fire and orders wait. Some of
it may come too late when a crash was in between: such refusals are named here, any other is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

import msgspec

from apps.engine.messages import (
    BUY,
    GTC,
    IOC,
    LIMIT,
    SELL,
    STOP,
    TAKE_PROFIT,
    TRAILING_STOP,
    AddLegs,
    Amend,
    AnyCommand,
    BlockLeg,
    CallAuction,
    Cancel,
    CancelAll,
    CancelAllAfter,
    Hold,
    Instrument,
    Leg,
    OpenBlock,
    Place,
    PlacePair,
    Release,
    RemoveLegs,
    ReopenMarket,
    Replace,
    Settle,
    Special,
    SubmitBlock,
    Terms,
    Transfer,
)
from apps.matching.gateway import new_command_id, valid_until_ns
from tests.matching.commands import BTC_USDT, place

# Out of the way of the accounts that people open.
FIRST_ACCOUNT_ID: Final = 900_001
COPIERS: Final = 40
MID_TICKS: Final = 6_000_000
STEP_TICKS: Final = 1_000
# A market of its own for auctions, where nobody else is kept from trading.
AUCTIONED: Final = msgspec.structs.replace(
    BTC_USDT, market_id=2, base_asset_id=3, symbol="ETH-USDT"
)
MARKETS: Final[tuple[Instrument, ...]] = (BTC_USDT, AUCTIONED)

# What a crash in between can bring about: the order has filled, the auction is over, a block that
# was not submitted in time has gone home, a trigger was passed. Of the two ends of
# a withdrawal one is always refused.
LATE: Final = {
    "Amend": ("order_not_found", "amend_below_filled"),
    "Cancel": ("order_not_found",),
    "Replace": ("order_not_found",),
    "AddLegs": ("unknown_block", "block_submitted"),
    "SubmitBlock": ("unknown_block", "block_submitted"),
    "RemoveLegs": ("unknown_block",),
    "CallAuction": ("auction_running",),
    "ReopenMarket": ("no_auction",),
    "Place": ("would_trigger", "no_reference"),
    "PlacePair": ("would_trigger", "no_reference", "post_only_would_take"),
    "Settle": ("unknown_hold",),
    "Release": ("unknown_hold",),
}


def copiers(number: int) -> range:
    """The accounts that follow a client into its blocks."""
    first = FIRST_ACCOUNT_ID + 1_000 * (number + 1)
    return range(first, first + COPIERS)


def commands(number: int) -> Iterator[AnyCommand]:
    """All that one client wants, in order; clients take turns at either side, so most meet."""
    account_id = FIRST_ACCOUNT_ID + number
    for turn in count(1):
        name = f"c{number}-{turn}"
        yield place(
            account_id, name, side=_side(number, turn), lots=1 + turn % 7, price_ticks=_wave(turn)
        )
        for every, wish in WISHES:
            if turn % every == 0:
                yield from wish(number, turn, name)


def _side(number: int, turn: int) -> int:
    return SELL if (turn + number) % 2 else BUY


def _wave(turn: int) -> int:
    """Up four steps and down again; each step lasts twenty turns."""
    step = turn // 20 % 8
    return MID_TICKS + STEP_TICKS * min(step, 8 - step)


def _head() -> tuple[bytes, int]:
    return new_command_id(), valid_until_ns(5)


def _placed(number: int, name: str, terms: Terms) -> Place:
    return Place(*_head(), FIRST_ACCOUNT_ID + number, name, terms)


def _transfer(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    legs = (Leg(FIRST_ACCOUNT_ID + number, 1, -turn), Leg(FIRST_ACCOUNT_ID, 1, turn))
    yield Transfer(*_head(), legs, name)


def _withdrawal(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """Held, and then both paid out and given back: only what comes first may be carried out."""
    hold_id = number * 10**9 + turn
    yield Hold(*_head(), FIRST_ACCOUNT_ID + number, 1, 7, hold_id)
    ends: tuple[AnyCommand, AnyCommand] = (Settle(*_head(), hold_id), Release(*_head(), hold_id))
    yield from ends if turn // WITHDRAWAL_EVERY % 2 else reversed(ends)


def _changes(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """An order away from the market that is made smaller, moved, replaced and taken back."""
    account_id = FIRST_ACCOUNT_ID + number
    first, second = f"{name}-far", f"{name}-far2"
    far = Terms(1, BUY, LIMIT, GTC, quantity_lots=9, price_ticks=5_900_000)
    yield _placed(number, first, far)
    yield Amend(*_head(), account_id, client_order_id=first, quantity_lots=5)
    yield Amend(*_head(), account_id, client_order_id=first, price_ticks=5_900_500)
    yield Replace(*_head(), account_id, second, far, replaced_client_id=first)
    yield Cancel(*_head(), account_id, client_order_id=second)


def _specials(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """An iceberg in the way, and two that wait for a price."""
    price = _wave(turn)
    iceberg = Special(display_lots=2)
    side = _side(number, turn // 7)
    yield _placed(
        number, f"{name}-ice",
        Terms(1, side, LIMIT, GTC, quantity_lots=8, price_ticks=price, special=iceberg),
    )  # fmt: skip
    yield _placed(
        number, f"{name}-take",
        Terms(1, SELL, TAKE_PROFIT, GTC, quantity_lots=2, stop_ticks=price + 2 * STEP_TICKS),
    )  # fmt: skip
    trail = Special(trail_ticks=STEP_TICKS + 500)
    yield _placed(
        number, f"{name}-trail", Terms(1, SELL, TRAILING_STOP, GTC, quantity_lots=2, special=trail)
    )


def _pairs(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """A limit above the market with a stop below it, and a purchase with both as its exits."""
    price = _wave(turn)
    above, below = price + 2 * STEP_TICKS, price - 2 * STEP_TICKS
    limit = Terms(1, SELL, LIMIT, GTC, quantity_lots=3, price_ticks=above, post_only=True)
    stop = Terms(1, SELL, STOP, GTC, quantity_lots=3, stop_ticks=below)
    yield PlacePair(*_head(), FIRST_ACCOUNT_ID + number, f"{name}-pair", limit, stop)
    exits = Special(take_profit_ticks=above, stop_loss_ticks=below)
    yield _placed(
        number, f"{name}-exits",
        Terms(1, BUY, LIMIT, GTC, quantity_lots=3, price_ticks=price, special=exits),
    )  # fmt: skip


def _block(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """One order for many; every second one rests and fills in slices, until it is taken apart."""
    rests = turn // BLOCK_EVERY % 2 == 0
    block_id = number * 10**9 + turn
    legs = tuple(BlockLeg(account_id, lots=1) for account_id in copiers(number))
    side = _side(number, turn // BLOCK_EVERY // 2)
    force = GTC if rests else IOC
    yield OpenBlock(
        *_head(), block_id, FIRST_ACCOUNT_ID + number, f"{name}-block",
        Terms(1, side, LIMIT, force, quantity_lots=3, price_ticks=_wave(turn)),
    )  # fmt: skip
    yield AddLegs(*_head(), block_id, legs)
    yield SubmitBlock(*_head(), block_id)
    if not rests and turn > BLOCK_EVERY:
        yield RemoveLegs(*_head(), block_id - BLOCK_EVERY, tuple(copiers(number)[:10]))
        lead = f"c{number}-{turn - BLOCK_EVERY}-block"
        yield Cancel(*_head(), FIRST_ACCOUNT_ID + number, client_order_id=lead)


def _auction(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """One client keeps a market of its own, and opens it by an auction of one second."""
    if number:
        return
    other = copiers(number)[0]
    yield CallAuction(*_head(), AUCTIONED.market_id, 1)
    for account_id, side in ((FIRST_ACCOUNT_ID, BUY), (other, SELL)):
        terms = Terms(AUCTIONED.market_id, side, LIMIT, GTC, quantity_lots=5, price_ticks=MID_TICKS)
        yield Place(*_head(), account_id, f"{name}-auction", terms)
    if turn // AUCTION_EVERY % 2:
        yield ReopenMarket(*_head(), AUCTIONED.market_id)


def _sweep(number: int, turn: int, name: str) -> Iterator[AnyCommand]:
    """What has been left standing goes; and the switch that would do it is set once more."""
    account_id = FIRST_ACCOUNT_ID + number
    yield CancelAll(*_head(), account_id, market_id=1)
    yield CancelAllAfter(*_head(), account_id, 3_600_000)


WITHDRAWAL_EVERY: Final = 30
BLOCK_EVERY: Final = 60
AUCTION_EVERY: Final = 80
Wish = Callable[[int, int, str], Iterator[AnyCommand]]
WISHES: Final[tuple[tuple[int, Wish], ...]] = (
    (8, _transfer),
    (11, _changes),
    (13, _specials),
    (17, _pairs),
    (WITHDRAWAL_EVERY, _withdrawal),
    (BLOCK_EVERY, _block),
    (AUCTION_EVERY, _auction),
    (150, _sweep),
)
