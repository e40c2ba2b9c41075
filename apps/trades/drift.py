"""The positions, made again from the ledger alone, and compared with their tables.

The same arithmetic as the projection's, fed from other rows: what a person sees as profit is what
the entries of the ledger come to, or this says where it is not. Reads only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice, zip_longest
from operator import itemgetter
from typing import Any, Final

import msgspec
import redis.exceptions
from django.core.cache import cache
from django.db import connection, transaction

from apps.trades.positions import Market, Moved, Positions

DIFFERENCES_SHOWN: Final = 20
LEGS_OF_PEOPLE: Final = 4
_ROWS_READ: Final = 10_000
_LAST_CHECK: Final = "positions-last-check"
_KEPT_SECONDS: Final = 3 * 24 * 3600

_LEDGER: Final = """
    SELECT seq, event_index, kind, account_id, asset_id, amount_minor, fee_minor
    FROM wallets_ledgerentry ORDER BY id
"""
_MOVEMENTS: Final = """
    SELECT id, account_id, asset_id, kind, change_minor, value_minor, price_ticks, quantity_minor,
        cost_minor, realised_minor, fees_minor
    FROM trades_movement ORDER BY id
"""
_seq_of: Final = itemgetter(0)
_event_of: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class LastCheck:
    """When the positions were last checked against the ledger, and where they differed."""

    at: datetime
    differences: list[str]


def remember(found: list[str], *, now: datetime) -> None:
    """Keep what a check has found for staff's page; what is lost is found again the next night."""
    cache.set(_LAST_CHECK, (now, found[:DIFFERENCES_SHOWN]), _KEPT_SECONDS)


def last_check() -> LastCheck | None:
    """Return the last check there was of late; None where none is known of."""
    try:
        kept = cache.get(_LAST_CHECK)
    except redis.exceptions.RedisError:
        return None
    return None if kept is None else LastCheck(*kept)


class LedgerBroken(Exception):
    """The ledger's entries are not what a trade writes, so that nothing can be made of them."""


def check() -> list[str]:
    """Compare in a snapshot of its own, while trading goes on."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return differences(cursor)


def differences(cursor: Any) -> list[str]:
    """Return where positions and movements differ from what the ledger makes of them."""
    positions = Positions()
    cursor.execute(
        "SELECT id, base_id, quote_id, lot_minor, tick_lot_minor FROM markets_instrument"
    )
    positions.markets = {market_id: Market(*rest) for market_id, *rest in cursor.fetchall()}
    made = _moved(positions, _streamed(cursor, "drift_ledger", _LEDGER))
    stored = _streamed(cursor, "drift_movements", _MOVEMENTS)
    found: list[str] = []
    try:
        found.extend(islice(_movements_that_differ(made, stored), DIFFERENCES_SHOWN))
        # The rest is folded all the same: the positions are compared at its end.
        deque(made, maxlen=0)
    except LedgerBroken as reason:
        found.append(str(reason))
    return [*found, *islice(_positions_that_differ(cursor, positions), DIFFERENCES_SHOWN)]


def _movements_that_differ(
    made: Iterator[Moved], stored: Iterator[tuple[int, ...]]
) -> Iterator[str]:
    for each, row in zip_longest(made, stored):
        wanted = None if each is None else _as_stored(each)
        if wanted != row:
            number = row[0] if each is None else each.id
            yield f"movement {number}: the ledger gives {wanted}, the table has {row}"


def _as_stored(moved: Moved) -> tuple[int, ...]:
    """Return the columns of a movement; its time is in no entry's figures and not compared."""
    number, _, *rest = msgspec.structs.astuple(moved)
    return number, *rest


def _positions_that_differ(cursor: Any, positions: Positions) -> Iterator[str]:
    cursor.execute(
        "SELECT account_id, asset_id, quantity_minor, cost_minor, realised_minor, fees_minor"
        " FROM trades_position"
    )
    stored = {(row[0], row[1]): tuple(row[2:]) for row in cursor.fetchall()}
    made = {key: position.figures() for key, position in positions.held.items()}
    for key in sorted(stored.keys() | made.keys()):
        if stored.get(key) != made.get(key):
            yield (
                f"position of account {key[0]} in asset {key[1]} (quantity, cost, realised, fees):"
                f" the ledger gives {made.get(key)}, the table has {stored.get(key)}"
            )


def _moved(positions: Positions, ledger: Iterator[tuple[Any, ...]]) -> Iterator[Moved]:
    """Fold the ledger and yield each movement when its command is over."""
    markets = {
        (market.base_asset_id, market.quote_asset_id): (market_id, market)
        for market_id, market in positions.markets.items()
    }
    for seq, command in groupby(ledger, _seq_of):
        positions.begin(seq, 0)
        for _, event in groupby(command, _event_of):
            legs = list(event)
            kinds = {leg[2] for leg in legs}
            if "escrow" in kinds:
                _allotted(positions, markets, legs)
            elif legs[0][2] == "trade":
                _trade(positions, markets, legs)
            else:
                for _, _, _, account_id, asset_id, amount_minor, _ in legs:
                    positions.transfer(account_id, asset_id, amount_minor)
        yield from positions.moved
        positions.moved.clear()


def _trade(
    positions: Positions,
    markets: dict[tuple[int, int], tuple[int, Market]],
    legs: list[tuple[Any, ...]],
) -> None:
    """Fold a trade from its legs: the buyer's quote and base, the seller's base and quote."""
    if len(legs) < LEGS_OF_PEOPLE or (legs[1][4], legs[0][4]) not in markets:
        raise LedgerBroken(f"the trade of seq {legs[0][0]} has not the legs of a trade")
    (_, _, _, buyer, quote, paid_minor, buyer_fee), (*_, base, base_minor, _) = legs[:2]
    *_, seller, _, _, seller_fee = legs[3]
    market_id, market = markets[base, quote]
    quote_minor = -paid_minor - buyer_fee
    lots = base_minor // market.lot_minor
    if lots < 1:
        raise LedgerBroken(f"the trade of seq {legs[0][0]} has moved nothing")
    price_ticks = quote_minor // (lots * market.tick_lot_minor)
    positions.trade(
        market_id, price_ticks, base_minor, quote_minor, (buyer, buyer_fee), (seller, seller_fee)
    )


def _allotted(
    positions: Positions,
    markets: dict[tuple[int, int], tuple[int, Market]],
    legs: list[tuple[Any, ...]],
) -> None:
    """Fold what an event of a block has allotted: per leg its trade's quote, then its base.

    What only moved into escrow or back changes no position.
    """
    trades = [leg for leg in legs if leg[2] == "trade"]
    for quote, base in zip(trades[::2], trades[1::2], strict=True):
        seq, _, _, account_id, quote_id, quote_minor, fee_minor = quote
        _, _, _, other_id, base_id, base_minor, _ = base
        if account_id != other_id or (base_id, quote_id) not in markets:
            raise LedgerBroken(f"a leg of seq {seq} has not the two sides of a trade")
        market_id, _ = markets[base_id, quote_id]
        is_buy = base_minor > 0
        traded_minor = -quote_minor - fee_minor if is_buy else quote_minor + fee_minor
        positions.allot(market_id, account_id, is_buy, abs(base_minor), traded_minor, fee_minor)


def _streamed(cursor: Any, name: str, query: str) -> Iterator[tuple[Any, ...]]:
    """Read a table that may be larger than the memory, in a transaction."""
    cursor.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query}")
    while True:
        cursor.execute(f"FETCH FORWARD {_ROWS_READ} FROM {name}")
        rows = cursor.fetchall()
        if not rows:
            break
        yield from rows
    cursor.execute(f"CLOSE {name}")
