"""Positions and their movements, written from the engine's events.

What a movement makes of a position depends on what it was before, so all positions are kept in
memory, as the engine keeps all balances; where they are of another moment (a new process, a batch
that was not written after all) they are taken up from the tables. Refuses nothing.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db import connection

from apps.core import bulk
from apps.engine.messages import (
    BUY,
    Allotted,
    AnyEvent,
    Deposited,
    HoldSettled,
    InstrumentListed,
    Trade,
    Transferred,
)
from apps.matching.journal import Batch
from apps.matching.projections import EngineView, Write
from apps.trades import drift
from apps.trades.folding import FIRST_PERSONAL_ACCOUNT_ID
from apps.trades.positions import VALUE_ASSET_ID, Key, Market, Moved, Position, Positions

DIFFERENCES_SHOWN: Final = 20

_COLUMNS: Final = (
    "id", "at", "account_id", "asset_id", "kind", "change_minor", "value_minor", "price_ticks",
    "quantity_minor", "cost_minor", "realised_minor", "fees_minor",
)  # fmt: skip
_ROW: Final = struct.Struct("!h" + "iq" * 3 + "ih" * 2 + "iq" * 7)

_MERGE_POSITIONS: Final = """
    INSERT INTO trades_position AS old (
        account_id, asset_id, quantity_minor, cost_minor, realised_minor, fees_minor, last_id, at
    )
    SELECT account_id, asset_id, quantity_minor, cost_minor, realised_minor, fees_minor, last_id,
        timestamptz 'epoch' + at_micros * interval '1 microsecond'
    FROM unnest(
        %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::bigint[]
    ) AS new (
        account_id, asset_id, quantity_minor, cost_minor, realised_minor, fees_minor, last_id,
        at_micros
    )
    ON CONFLICT (account_id, asset_id) DO UPDATE SET
        quantity_minor = excluded.quantity_minor, cost_minor = excluded.cost_minor,
        realised_minor = excluded.realised_minor, fees_minor = excluded.fees_minor,
        last_id = excluded.last_id, at = excluded.at
"""


class OutOfPlace(Exception):
    """A batch does not follow on what is in memory, and nothing right can come of it."""


class PositionsProjection:
    name: str = "positions"
    version: int = 1
    tables: tuple[str, ...] = ("trades_position", "trades_movement")

    def __init__(self) -> None:
        self._positions = Positions()
        # Up to which command the positions are folded; -1 where nobody knows.
        self._seq = -1

    def apply(self, batch: Batch, cursor: Any) -> None:
        self.take_up(cursor, seq=batch.first_seq - 1)
        self.prepare(batch)(cursor)

    def take_up(self, cursor: Any, *, seq: int) -> None:
        if seq == 0:
            self._positions = Positions()
        elif seq != self._seq:
            self._positions = _stored(cursor, seq=seq)
        self._seq = seq

    def prepare(self, batch: Batch) -> Write:
        if batch.first_seq != self._seq + 1:
            raise OutOfPlace(f"The positions are at seq {self._seq}, not before {batch.first_seq}.")
        return _packed(self._folded(batch))

    def _folded(self, batch: Batch) -> list[Moved]:
        # Half a batch is in the positions if this fails, and then they are of no more use.
        self._seq = -1
        positions = self._positions
        for entry in batch.entries:
            begun = False
            for event in entry.events:
                if type(event) in _MOVES:
                    if not begun:
                        positions.begin(entry.seq, entry.at_ns)
                        begun = True
                    _fold(positions, event)
        moved, positions.moved = positions.moved, []
        self._seq = batch.last_seq
        return moved

    def check(self, view: EngineView) -> list[str]:
        with connection.cursor() as cursor:
            return [*_quantities_against_engine(cursor, view), *drift.differences(cursor)]


def _fold(positions: Positions, event: AnyEvent) -> None:
    """Take in what one event has moved."""
    if isinstance(event, Trade):
        maker = event.maker_account_id, event.maker_fee_minor
        taker = event.taker_account_id, event.taker_fee_minor
        buyer, seller = (taker, maker) if event.taker_side == BUY else (maker, taker)
        positions.trade(
            event.market_id, event.price_ticks, event.base_minor, event.quote_minor, buyer, seller
        )
    elif isinstance(event, Deposited):
        positions.transfer(event.account_id, event.asset_id, event.amount_minor)
    elif isinstance(event, HoldSettled):
        positions.transfer(event.account_id, event.asset_id, -event.amount_minor)
    elif isinstance(event, Transferred):
        for leg in event.legs:
            positions.transfer(leg.account_id, leg.asset_id, leg.amount_minor)
    elif isinstance(event, Allotted):
        for fill in event.fills:
            positions.allot(
                event.market_id, fill.account_id, event.side == BUY, fill.base_minor,
                fill.quote_minor, fill.fee_minor,
            )  # fmt: skip
    elif isinstance(event, InstrumentListed):
        listed = event.instrument
        positions.markets[listed.market_id] = Market(
            listed.base_asset_id, listed.quote_asset_id, listed.lot_minor, listed.tick_lot_minor
        )


_MOVES: Final = frozenset({Trade, Deposited, HoldSettled, Transferred, InstrumentListed, Allotted})


def _stored(cursor: Any, *, seq: int) -> Positions:
    """Return the positions as the tables have them, with the prices of that moment.

    The tape is another app's, and may have what comes next already.
    """
    positions = Positions()
    cursor.execute(
        "SELECT id, base_id, quote_id, lot_minor, tick_lot_minor FROM markets_instrument"
    )
    positions.markets = {market_id: Market(*rest) for market_id, *rest in cursor.fetchall()}
    cursor.execute(
        "SELECT market.base_id, market.id, last.price_ticks FROM markets_instrument AS market"
        " CROSS JOIN LATERAL (SELECT price_ticks FROM markets_trade"
        " WHERE instrument_id = market.id AND seq <= %s ORDER BY id DESC LIMIT 1) AS last"
        " WHERE market.quote_id = %s",
        (seq, VALUE_ASSET_ID),
    )
    for asset_id, market_id, price_ticks in cursor.fetchall():
        positions.prices[asset_id] = price_ticks, positions.markets[market_id]
    cursor.execute(
        "SELECT account_id, asset_id, quantity_minor, cost_minor, realised_minor, fees_minor"
        " FROM trades_position"
    )
    for account_id, asset_id, *figures in cursor.fetchall():
        positions.held[account_id, asset_id] = Position(*figures)
    return positions


def _packed(moved: list[Moved]) -> Write:
    rows = bulk.packed(_rows(moved))
    last: dict[Key, Moved] = {(each.account_id, each.asset_id): each for each in moved}
    values = _position_values(last.values())

    def write(cursor: Any) -> None:
        bulk.copy(cursor, "trades_movement", _COLUMNS, rows)
        if last:
            cursor.execute(_MERGE_POSITIONS, values)

    return write


def _rows(moved: Iterable[Moved]) -> Iterator[bytes]:
    rows: defaultdict[int, list[bytes]] = defaultdict(list)
    pack, micros = _ROW.pack, bulk.micros
    for each in moved:
        rows[each.account_id].append(
            pack(
                12, 8, each.id, 8, micros(each.at_ns), 8, each.account_id, 2, each.asset_id,
                2, each.kind, 8, each.change_minor, 8, each.value_minor, 8, each.price_ticks,
                8, each.quantity_minor, 8, each.cost_minor, 8, each.realised_minor,
                8, each.fees_minor,
            )
        )  # fmt: skip
    return bulk.grouped(rows)


def _position_values(last: Iterable[Moved]) -> tuple[str, ...]:
    last = list(last)
    return (
        bulk.int_array(each.account_id for each in last),
        bulk.int_array(each.asset_id for each in last),
        bulk.int_array(each.quantity_minor for each in last),
        bulk.int_array(each.cost_minor for each in last),
        bulk.int_array(each.realised_minor for each in last),
        bulk.int_array(each.fees_minor for each in last),
        bulk.int_array(each.id for each in last),
        bulk.int_array(each.at_ns // 1_000 for each in last),
    )


def _quantities_against_engine(cursor: Any, view: EngineView) -> Iterator[str]:
    """Each position has what the engine has, available and held together."""
    cursor.execute(
        "SELECT account_id, asset_id, quantity_minor FROM trades_position WHERE quantity_minor <> 0"
    )
    stored = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
    decided = {
        (account_id, asset_id): available + held
        for account_id, asset_id, available, held in view.balances()
        if account_id >= FIRST_PERSONAL_ACCOUNT_ID
        and asset_id != VALUE_ASSET_ID
        and available + held
    }
    # What is in escrow is still its owner's: the spent asset of each leg.
    for _, account_id, market_id, side, _, reserve_minor in view.open_legs():
        market = view.instruments[market_id]
        asset_id = market.quote_asset_id if side == BUY else market.base_asset_id
        is_person = account_id >= FIRST_PERSONAL_ACCOUNT_ID
        if is_person and asset_id != VALUE_ASSET_ID and reserve_minor:
            key = (account_id, asset_id)
            decided[key] = decided.get(key, 0) + reserve_minor
    different = [
        key for key in stored.keys() | decided.keys() if stored.get(key) != decided.get(key)
    ]
    for key in sorted(different)[:DIFFERENCES_SHOWN]:
        yield (
            f"position of account {key[0]} in asset {key[1]}: the engine has"
            f" {decided.get(key, 0)}, the table {stored.get(key, 0)}"
        )
    if len(different) > DIFFERENCES_SHOWN:
        yield f"{len(different) - DIFFERENCES_SHOWN} more positions differ from the engine's"
