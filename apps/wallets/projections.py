"""Balances and the ledger, written from the engine's events.

Balances change by one statement per batch; ledger entries are copied in. Refuses nothing: a batch
that the constraints refuse is a bug in the engine, and stops the projector.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from django.db import connection

from apps.core import bulk
from apps.engine.messages import (
    FEE_ACCOUNT_ID,
    Allotted,
    AnyEvent,
    Deposited,
    Duplicate,
    HoldSettled,
    Instrument,
    InstrumentListed,
    LegsAdded,
    LegsReleased,
    Prevented,
    Rejected,
    Rested,
    Trade,
    Transferred,
    Triggered,
)
from apps.engine.postings import Posting, postings
from apps.matching.journal import Batch, Entry
from apps.matching.projections import EngineView, Write
from apps.wallets.rules import (
    entry_id,
    reference_of,
    wording_of,
)

DIFFERENCES_SHOWN: Final = 20

_LEDGER_COLUMNS: Final = (
    "id", "account_id", "asset_id", "amount_minor", "fee_minor", "kind",
    "seq", "event_index", "at", "reference",
)  # fmt: skip
# A leg's own columns up to its kind, and those that the legs of an event have in common, up to
# the length of the reference.
_LEG: Final = struct.Struct("!hiqiqihiqiq")
_SOURCE: Final = struct.Struct("!iqiiiqi")
_MOVES_BETWEEN_ACCOUNTS: Final = frozenset(
    {Trade, Deposited, HoldSettled, Transferred, LegsAdded, LegsReleased, Allotted}
)
# The common ones; any other event is asked for its postings.
_MOVES_NOTHING: Final = frozenset({Rested, Triggered, Prevented, Rejected, Duplicate})

_MERGE_BALANCES: Final = """
    MERGE INTO wallets_balance AS balance
    USING (
        SELECT * FROM unnest(
            %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[]
        ) AS row (account_id, asset_id, available_minor, held_minor, seq)
    ) AS change
    ON balance.account_id = change.account_id AND balance.asset_id = change.asset_id
    -- Escrow accounts of blocks are many and live for moments: what is empty leaves no row.
    WHEN MATCHED AND balance.account_id < 0
        AND balance.available_minor + change.available_minor = 0
        AND balance.held_minor + change.held_minor = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET
        available_minor = balance.available_minor + change.available_minor,
        held_minor = balance.held_minor + change.held_minor,
        seq = change.seq
    WHEN NOT MATCHED AND change.account_id < 0
        AND change.available_minor = 0 AND change.held_minor = 0 THEN DO NOTHING
    WHEN NOT MATCHED THEN INSERT (account_id, asset_id, available_minor, held_minor, seq)
        VALUES (
            change.account_id, change.asset_id, change.available_minor, change.held_minor,
            change.seq
        )
"""


class _Change:
    """What a batch does to one balance."""

    __slots__ = ("available_minor", "held_minor", "seq")

    def __init__(self) -> None:
        self.available_minor = 0
        self.held_minor = 0
        self.seq = 0


Balances = defaultdict[tuple[int, int], _Change]


class WalletsProjection:
    name: str = "wallets"
    version: int = 2
    tables: tuple[str, ...] = ("wallets_balance", "wallets_ledgerentry")

    def __init__(self) -> None:
        # Which assets a market trades never changes, so what has been seen once is kept.
        self._instruments: dict[int, Instrument] = {}
        self._knows_all = False

    def apply(self, batch: Batch, cursor: Any) -> None:
        self.take_up(cursor, seq=batch.first_seq - 1)
        self.prepare(batch)(cursor)

    def take_up(self, cursor: Any, *, seq: int) -> None:
        if not self._knows_all:
            self._instruments = _listed_so_far(cursor)
            self._knows_all = True

    def prepare(self, batch: Batch) -> Write:
        return _Changes(batch, self._instruments).write

    def check(self, view: EngineView) -> list[str]:
        with connection.cursor() as cursor:
            return [*_balances_against_engine(cursor, view), *ledger_differences(cursor)]


def _listed_so_far(cursor: Any) -> dict[int, Instrument]:
    # The table is another app's. What is read of it is the engine's own and never changes.
    cursor.execute(
        "SELECT id, base_id, quote_id, lot_minor, tick_lot_minor FROM markets_instrument"
    )
    return {
        market_id: Instrument(market_id, base, quote, lot, tick_lot, 0, 0, 0, 0, 0, 0, 0)
        for market_id, base, quote, lot, tick_lot in cursor.fetchall()
    }


class _Changes:
    """What a batch does to balances and ledger, added up and packed."""

    def __init__(self, batch: Batch, instruments: dict[int, Instrument]) -> None:
        self._balances: Balances = defaultdict(_Change)
        self._legs: defaultdict[int, list[bytes]] = defaultdict(list)
        self._add(batch, instruments)
        self._ledger = bulk.packed(bulk.grouped(self._legs))
        self._legs.clear()

    def write(self, cursor: Any) -> None:
        bulk.copy(cursor, "wallets_ledgerentry", _LEDGER_COLUMNS, self._ledger)
        if self._balances:
            _merge_balances(cursor, self._balances)

    def _add(self, batch: Batch, instruments: dict[int, Instrument]) -> None:
        # This runs for every event there is, so it is one loop.
        balances = self._balances
        for entry in batch.entries:
            seq = entry.seq
            next_id = entry_id(seq, 0)
            for index, event in enumerate(entry.events):
                kind = type(event)
                if kind in _MOVES_NOTHING:
                    continue
                # As exact a question as isinstance here, for a third of its price.
                if type(event) is InstrumentListed:
                    instruments[event.instrument.market_id] = event.instrument
                posted = postings(event, instruments)
                for account_id, asset_id, available_minor, held_minor in posted:
                    change = balances[account_id, asset_id]
                    change.available_minor += available_minor
                    change.held_minor += held_minor
                    change.seq = seq
                if kind in _MOVES_BETWEEN_ACCOUNTS:
                    next_id = self._write_down(event, posted, entry, index, next_id)

    def _write_down(
        self, event: AnyEvent, posted: list[Posting], entry: Entry, index: int, next_id: int
    ) -> int:
        """Pack a leg for each posting that moves something; return the id of the next."""
        legs, pack = self._legs, _LEG.pack
        reference = reference_of(event).encode()
        at_micros = bulk.micros(entry.at_ns)
        source = _SOURCE.pack(8, entry.seq, 4, index, 8, at_micros, len(reference)) + reference
        written, tail = "", b""
        for (account_id, asset_id, available_minor, held_minor), (word, fee_minor) in zip(
            posted, wording_of(event, len(posted)), strict=True
        ):
            amount_minor = available_minor + held_minor
            if amount_minor or fee_minor:
                if word != written:
                    written, tail = word, bulk.packed_word(word) + source
                leg = pack(
                    10, 8, next_id, 8, account_id, 2, asset_id, 8, amount_minor, 8, fee_minor
                )
                legs[account_id].append(leg + tail)
                next_id += 1
        return next_id


def _merge_balances(cursor: Any, changes: Balances) -> None:
    values = changes.values()
    cursor.execute(
        _MERGE_BALANCES,
        (
            bulk.int_array(account_id for account_id, _ in changes),
            bulk.int_array(asset_id for _, asset_id in changes),
            bulk.int_array(change.available_minor for change in values),
            bulk.int_array(change.held_minor for change in values),
            bulk.int_array(change.seq for change in values),
        ),
    )


def ledger_differences(cursor: Any) -> list[str]:
    """Return what of the tables contradicts itself: sums of entries, of balances, of legs."""
    return [*_ledger_against_balances(cursor), *_unbalanced(cursor)]


def _balances_against_engine(cursor: Any, view: EngineView) -> Iterator[str]:
    cursor.execute(
        "SELECT account_id, asset_id, available_minor, held_minor FROM wallets_balance"
        " WHERE available_minor <> 0 OR held_minor <> 0"
    )
    stored = {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}
    decided = {(row[0], row[1]): (row[2], row[3]) for row in view.balances()}
    decided = {key: value for key, value in decided.items() if value != (0, 0)}
    different = [
        key for key in stored.keys() | decided.keys() if stored.get(key) != decided.get(key)
    ]
    for account_id, asset_id in sorted(different)[:DIFFERENCES_SHOWN]:
        key = (account_id, asset_id)
        yield (
            f"balance of account {account_id} in asset {asset_id}: the engine has"
            f" {decided.get(key, (0, 0))} (available, held), the table {stored.get(key, (0, 0))}"
        )
    if len(different) > DIFFERENCES_SHOWN:
        yield f"{len(different) - DIFFERENCES_SHOWN} more balances differ from the engine's"


def _ledger_against_balances(cursor: Any) -> Iterator[str]:
    cursor.execute(
        """
        SELECT coalesce(e.account_id, b.account_id), coalesce(e.asset_id, b.asset_id),
            coalesce(e.total, 0), coalesce(b.total, 0)
        FROM (
            SELECT account_id, asset_id, sum(amount_minor) AS total
            FROM wallets_ledgerentry GROUP BY account_id, asset_id
        ) AS e
        FULL JOIN (
            SELECT account_id, asset_id, available_minor::numeric + held_minor AS total
            FROM wallets_balance
        ) AS b ON b.account_id = e.account_id AND b.asset_id = e.asset_id
        WHERE coalesce(e.total, 0) <> coalesce(b.total, 0)
        ORDER BY 1, 2 LIMIT %s
        """,
        [DIFFERENCES_SHOWN],
    )
    for account_id, asset_id, entries, balance in cursor.fetchall():
        yield (
            f"ledger of account {account_id} in asset {asset_id} sums to {entries},"
            f" its balance is {balance}"
        )


def _unbalanced(cursor: Any) -> Iterator[str]:
    cursor.execute(
        "SELECT asset_id, sum(available_minor::numeric + held_minor) FROM wallets_balance"
        " GROUP BY asset_id HAVING sum(available_minor::numeric + held_minor) <> 0 ORDER BY 1"
    )
    for asset_id, total in cursor.fetchall():
        yield f"asset {asset_id} sums to {total} over all accounts, not to zero"
    cursor.execute(
        """
        SELECT seq, event_index, asset_id, total, fees, earned
        FROM (
            SELECT seq, event_index, asset_id, sum(amount_minor) AS total, sum(fee_minor) AS fees,
                coalesce(sum(amount_minor) FILTER (WHERE kind = 'fee' AND account_id = %s), 0)
                    AS earned
            FROM wallets_ledgerentry GROUP BY seq, event_index, asset_id
        ) AS event
        WHERE total <> 0 OR fees <> earned ORDER BY 1, 2, 3 LIMIT %s
        """,
        [FEE_ACCOUNT_ID, DIFFERENCES_SHOWN],
    )
    for seq, event_index, asset_id, total, fees, earned in cursor.fetchall():
        name = f"of event {event_index} of seq {seq} in asset {asset_id}"
        if total:
            yield f"legs {name} sum to {total}"
        if fees != earned:
            yield f"fees {name} sum to {fees}, the house earned {earned}"
