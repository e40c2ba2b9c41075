"""Commands for the tests of the shell: two accounts that trade on one market."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from apps.core.errors import Unavailable
from apps.engine.messages import (
    BUY,
    GTC,
    LIMIT,
    AnyCommand,
    Deposit,
    Instrument,
    ListInstrument,
    OpenAccount,
    Place,
    Terms,
)
from apps.matching.gateway import Gateway, Reply, new_command_id, valid_until_ns

BTC_USDT = Instrument(
    market_id=1,
    base_asset_id=2,
    quote_asset_id=1,
    lot_minor=1_000,
    tick_lot_minor=10,
    min_quantity_lots=1,
    max_quantity_lots=10**9,
    min_notional_minor=1,
    max_notional_minor=10**17,
    maker_fee_ppm=800,
    taker_fee_ppm=1000,
    band_bps=1000,
    symbol="BTC-USDT",
)
ALICE, BOB = 1001, 1002
_T = TypeVar("_T")


def open_account(account_id: int) -> OpenAccount:
    return OpenAccount(new_command_id(), valid_until_ns(60), account_id, account_id)


def deposit(account_id: int, asset_id: int, amount_minor: int) -> Deposit:
    return Deposit(new_command_id(), valid_until_ns(60), account_id, asset_id, amount_minor)


def list_instrument() -> ListInstrument:
    return ListInstrument(new_command_id(), valid_until_ns(60), BTC_USDT)


def place(
    account_id: int,
    client_order_id: str,
    *,
    side: int = BUY,
    lots: int = 10,
    price_ticks: int = 6_000_000,
    command_id: bytes | None = None,
) -> Place:
    terms = Terms(1, side, LIMIT, GTC, quantity_lots=lots, price_ticks=price_ticks)
    return Place(
        command_id or new_command_id(), valid_until_ns(5), account_id, client_order_id, terms
    )


def set_up(gateway: Gateway) -> list[Reply]:
    """One market, two accounts with money: eight commands."""
    commands: list[AnyCommand] = [
        list_instrument(),
        open_account(ALICE),
        open_account(BOB),
        *(deposit(account, asset, 10**15) for account in (ALICE, BOB) for asset in (1, 2)),
    ]
    return until_available(lambda: gateway.submit_many(commands))


def until_available(call: Callable[[], _T], seconds: float = 30.0) -> _T:
    """Call until the engine answers: hosts need a moment to lead."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
