"""Orders and fills of people, written from the engine's events.

An order entered in a batch is copied in as it stands at its end; older ones change by one
statement per batch. Refuses nothing: what the constraints refuse is a bug in the engine.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec
from django.db import connection

from apps.core import bulk
from apps.engine.messages import Accepted, Special
from apps.matching.journal import Batch
from apps.matching.projections import PREPARED_MAX, EngineView, Write
from apps.trades import block_rows
from apps.trades.folding import FIRST_PERSONAL_ACCOUNT_ID, Change, Folded, Side

DIFFERENCES_SHOWN: Final = 20

_ORDER_COLUMNS: Final = (
    "id", "account_id", "instrument_id", "side", "order_type", "time_in_force", "post_only",
    "self_trade", "quantity_lots", "quote_minor", "price_ticks", "stop_ticks", "filled_lots",
    "filled_quote_minor", "fee_minor", "held_minor", "triggered", "seq", "last_seq", "created_at",
    "updated_at", "client_order_id", "expires_at", "status", "reason", "display_lots",
    "trail_ticks", "trail_bps", "take_profit_ticks", "stop_loss_ticks", "stop_loss_limit_ticks",
    "block_id", "pair_order_id", "parent_order_id",
)  # fmt: skip
# Up to the length of the client order id; that itself and the columns after it are as long as
# they are.
_ORDER_ROW: Final = struct.Struct("!h" + "iqiqiiihihihi?ih" + "iq" * 8 + "i?" + "iq" * 4 + "i")
_FILL_COLUMNS: Final = (
    "id", "trade_id", "order_id", "account_id", "instrument_id", "side", "is_maker", "price_ticks",
    "quantity_lots", "quote_minor", "fee_minor", "seq", "at",
)  # fmt: skip
_FILL_ROW: Final = struct.Struct("!h" + "iq" * 4 + "iiihi?" + "iq" * 6)
_MOMENT: Final = struct.Struct("!iq")
_NUMBER: Final = struct.Struct("!iq")
_SHORT_NUMBER: Final = struct.Struct("!ii")
_NO_LINKS: Final = bulk.NULL * 2
_NOTHING_SPECIAL: Final = bulk.NULL * len(Special.__struct_fields__)
_account_id: Final = attrgetter("account_id")

_UPDATE_ORDERS: Final = """
    UPDATE trades_order AS old SET
        filled_lots = old.filled_lots + change.filled_lots,
        filled_quote_minor = old.filled_quote_minor + change.filled_quote_minor,
        fee_minor = old.fee_minor + change.fee_minor,
        held_minor = old.held_minor + change.held_minor,
        triggered = old.triggered OR change.triggered = 1,
        status = CASE change.status WHEN '' THEN old.status ELSE change.status END,
        reason = CASE change.reason WHEN '' THEN old.reason ELSE change.reason END,
        last_seq = change.last_seq,
        updated_at = timestamptz 'epoch' + change.updated_micros * interval '1 microsecond'
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::integer[], %s::text[], %s::text[], %s::bigint[], %s::bigint[]
    ) AS change (
        account_id, id, filled_lots, filled_quote_minor, fee_minor, held_minor, triggered, status,
        reason, last_seq, updated_micros
    )
    WHERE old.account_id = change.account_id AND old.id = change.id
        AND old.created_at <= timestamptz 'epoch' + %s * interval '1 microsecond'
"""


# Only few orders are ever amended, so they have a statement of their own. What was asked for at
# entry is kept: by it the same order is known again when it is sent twice.
_AMEND_ORDERS: Final = """
    UPDATE trades_order AS old SET
        entered_quantity_lots =
            coalesce(old.entered_quantity_lots, change.entered_quantity_lots, old.quantity_lots),
        entered_price_ticks =
            coalesce(old.entered_price_ticks, change.entered_price_ticks, old.price_ticks),
        entered_stop_ticks =
            coalesce(old.entered_stop_ticks, change.entered_stop_ticks, old.stop_ticks),
        quantity_lots = change.quantity_lots,
        price_ticks = change.price_ticks,
        stop_ticks = change.stop_ticks
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::bigint[]
    ) AS change (
        account_id, id, quantity_lots, price_ticks, stop_ticks, entered_quantity_lots,
        entered_price_ticks, entered_stop_ticks
    )
    WHERE old.account_id = change.account_id AND old.id = change.id
        AND old.created_at <= timestamptz 'epoch' + %s * interval '1 microsecond'
"""

# The planner takes an array for half a table and would read every partition to join it; each order
# is found by its key in no time, whatever the size of the table.
_BY_INDEX: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"


class OrderMissing(Exception):
    """Events speak of an order that is not in the table: the projection is not whole."""


class TradesProjection:
    name: str = "trades"
    version: int = 1
    tables: tuple[str, ...] = ("trades_order", "trades_fill", "trades_blockevent")

    def __init__(self, tell: Callable[[Batch, Folded], None]) -> None:
        self._tell = tell
        # What the last batches came to, so that they are not added up again to tell of them: those
        # that are prepared, and the one that is written.
        self._last: deque[tuple[Batch, Folded]] = deque(maxlen=PREPARED_MAX + 1)

    def apply(self, batch: Batch, cursor: Any) -> None:
        self.prepare(batch)(cursor)

    def prepare(self, batch: Batch) -> Write:
        folded = Folded(batch.entries)
        fills = bulk.packed(_fill_rows(folded.sides))
        changes = folded.changes.values()
        orders = bulk.packed(_order_rows(changes))
        old = sorted((each for each in changes if each.accepted is None), key=_account_id)
        update = _update_values(old)
        amended = sorted((each for each in changes if each.amended is not None), key=_account_id)
        self._last.append((batch, folded))

        def write(cursor: Any) -> None:
            bulk.copy(cursor, "trades_fill", _FILL_COLUMNS, fills)
            bulk.copy(cursor, "trades_order", _ORDER_COLUMNS, orders)
            # First, so that what has filled since is within the new quantity.
            if amended:
                _amend_orders(cursor, amended)
            if old:
                _update_orders(cursor, old, update)
            block_rows.write(cursor, folded.blocks.rows)

        return write

    def committed(self, batch: Batch) -> None:
        # A copy, because the thread that prepares adds to it.
        for each, folded in tuple(self._last):
            if each is batch:
                return self._tell(batch, folded)
        return self._tell(batch, Folded(batch.entries))

    def check(self, view: EngineView) -> list[str]:
        with connection.cursor() as cursor:
            return [*_orders_against_engine(cursor, view), *_fills_against_orders(cursor)]


def _order_rows(changes: Iterable[Change]) -> Iterator[bytes]:
    """Return the rows of orders that were entered in the batch."""
    rows: defaultdict[int, list[bytes]] = defaultdict(list)
    pack, micros = _ORDER_ROW.pack, bulk.micros
    for change in changes:
        order = change.accepted
        if order is None:
            continue
        terms = (change.amended or order).terms
        client_order_id = order.client_order_id.encode()
        fixed = pack(
            len(_ORDER_COLUMNS), 8, change.order_id, 8, change.account_id, 4, terms.market_id,
            2, terms.side, 2, terms.order_type, 2, terms.time_in_force, 1, terms.post_only,
            2, terms.self_trade, 8, terms.quantity_lots, 8, terms.quote_minor, 8, terms.price_ticks,
            8, terms.stop_ticks, 8, change.filled_lots, 8, change.filled_quote_minor,
            8, change.fee_minor, 8, change.held_minor, 1, change.triggered,
            8, change.seq, 8, change.last_seq, 8, micros(change.created_ns),
            8, micros(change.updated_ns), len(client_order_id),
        )  # fmt: skip
        ending = _ending(
            terms.expires_at_ns, change.status, change.reason, terms.special, change.block_id
        )
        linked = order.pair_order_id or order.parent_order_id
        links = _links(order) if linked else _NO_LINKS
        rows[change.account_id].append(fixed + client_order_id + ending + links)
    return bulk.grouped(rows)


@lru_cache(maxsize=256)
def _ending(
    expires_at_ns: int, status: str, reason: str, special: Special | None, block_id: int
) -> bytes:
    """Return how an order's row ends; most of them end alike."""
    expires = _MOMENT.pack(8, bulk.micros(expires_at_ns)) if expires_at_ns else bulk.NULL
    return (
        expires + bulk.packed_text(status) + bulk.packed_text(reason)
        + (_NOTHING_SPECIAL if special is None else _special(special))
        + (_NUMBER.pack(8, block_id) if block_id else bulk.NULL)
    )  # fmt: skip


def _links(order: Accepted) -> bytes:
    found = (order.pair_order_id, order.parent_order_id)
    return b"".join(_NUMBER.pack(8, each) if each else bulk.NULL for each in found)


def _special(special: Special) -> bytes:
    """Return the columns of what is asked for besides; what is not is null."""
    wide, narrow = _NUMBER.pack, _SHORT_NUMBER.pack
    return b"".join(
        bulk.NULL if not value else narrow(4, value) if name == "trail_bps" else wide(8, value)
        for name, value in msgspec.structs.asdict(special).items()
    )


def _update_values(changes: list[Change]) -> tuple[str | int, ...]:
    return (
        bulk.int_array(change.account_id for change in changes),
        bulk.int_array(change.order_id for change in changes),
        bulk.int_array(change.filled_lots for change in changes),
        bulk.int_array(change.filled_quote_minor for change in changes),
        bulk.int_array(change.fee_minor for change in changes),
        bulk.int_array(change.held_minor for change in changes),
        bulk.int_array(int(change.triggered) for change in changes),
        bulk.word_array(change.status for change in changes),
        bulk.word_array(change.reason for change in changes),
        bulk.int_array(change.last_seq for change in changes),
        bulk.int_array(change.updated_ns // 1_000 for change in changes),
        # An order is entered before it changes, and the journal's time never goes back: the months
        # to come need not be looked at.
        max((change.updated_ns // 1_000 for change in changes), default=0),
    )


def _update_orders(cursor: Any, changes: list[Change], values: tuple[str | int, ...]) -> None:
    cursor.execute(_BY_INDEX)
    cursor.execute(_UPDATE_ORDERS, values)
    _require_all(cursor, changes)


def _amend_orders(cursor: Any, changes: list[Change]) -> None:
    terms = [change.amended.terms for change in changes if change.amended is not None]
    entered = [change.accepted.terms if change.accepted else None for change in changes]
    cursor.execute(_BY_INDEX)
    cursor.execute(
        _AMEND_ORDERS,
        (
            [change.account_id for change in changes],
            [change.order_id for change in changes],
            [each.quantity_lots for each in terms],
            [each.price_ticks for each in terms],
            [each.stop_ticks for each in terms],
            [each.quantity_lots if each else None for each in entered],
            [each.price_ticks if each else None for each in entered],
            [each.stop_ticks if each else None for each in entered],
            max(change.updated_ns // 1_000 for change in changes),
        ),
    )
    _require_all(cursor, changes)


def _require_all(cursor: Any, changes: list[Change]) -> None:
    if cursor.rowcount != len(changes):
        raise OrderMissing(
            f"{len(changes) - cursor.rowcount} of {len(changes)} orders that changed up to seq"
            f" {max(change.last_seq for change in changes)} are not in the table."
        )


def _fill_rows(sides: Iterable[Side]) -> Iterator[bytes]:
    rows: defaultdict[int, list[bytes]] = defaultdict(list)
    pack = _FILL_ROW.pack
    for each in sides:
        trade = each.trade
        if each.is_maker:
            order_id, account_id = trade.maker_order_id, trade.maker_account_id
            fee_minor = trade.maker_fee_minor
        else:
            order_id, account_id = trade.taker_order_id, trade.taker_account_id
            fee_minor = trade.taker_fee_minor
        rows[account_id].append(
            pack(
                13, 8, each.id, 8, trade.trade_id, 8, order_id, 8, account_id,
                4, trade.market_id, 2, each.side, 1, each.is_maker, 8, trade.price_ticks,
                8, trade.quantity_lots, 8, trade.quote_minor, 8, fee_minor, 8, each.seq,
                8, bulk.micros(each.at_ns),
            )
        )  # fmt: skip
    return bulk.grouped(rows)


def _orders_against_engine(cursor: Any, view: EngineView) -> Iterator[str]:
    """Compare what is open: for each order account, market, side, hold and lots still to fill."""
    cursor.execute(
        """
        SELECT id, account_id, instrument_id, side, held_minor,
            CASE WHEN quantity_lots = 0 THEN 0 ELSE quantity_lots - filled_lots END
        FROM trades_order WHERE status IN ('open', 'partially_filled')
        """
    )
    stored = {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
    decided = {
        order_id: (account_id, market_id, side, hold_minor, remaining_lots)
        for order_id, account_id, market_id, side, _, remaining_lots, hold_minor, _ in (
            view.open_orders()
        )
        if account_id >= FIRST_PERSONAL_ACCOUNT_ID
    }
    for order_id, account_id, market_id, side, lots, reserve_minor in view.open_legs():
        if account_id >= FIRST_PERSONAL_ACCOUNT_ID:
            decided[order_id] = (account_id, market_id, side, reserve_minor, lots)
    different = [
        key for key in stored.keys() | decided.keys() if stored.get(key) != decided.get(key)
    ]
    for order_id in sorted(different)[:DIFFERENCES_SHOWN]:
        yield (
            f"order {order_id} (account, market, side, hold, lots to fill): the engine has"
            f" {decided.get(order_id, 'no such open order')}, the table"
            f" {stored.get(order_id, 'no such open order')}"
        )
    if len(different) > DIFFERENCES_SHOWN:
        yield f"{len(different) - DIFFERENCES_SHOWN} more open orders differ from the engine's"


def _fills_against_orders(cursor: Any) -> Iterator[str]:
    """Each order has filled, paid and been charged what its fills say."""
    cursor.execute(
        """
        SELECT coalesce(o.id, f.order_id), o.filled_lots, o.filled_quote_minor, o.fee_minor,
            f.lots, f.quote_minor, f.fee_minor
        FROM (SELECT * FROM trades_order WHERE filled_lots > 0) AS o
        FULL JOIN (
            SELECT account_id, order_id, sum(quantity_lots) AS lots,
                sum(quote_minor) AS quote_minor, sum(fee_minor) AS fee_minor
            FROM trades_fill GROUP BY account_id, order_id
        ) AS f ON f.account_id = o.account_id AND f.order_id = o.id
        WHERE (o.filled_lots, o.filled_quote_minor, o.fee_minor)
            IS DISTINCT FROM (f.lots, f.quote_minor, f.fee_minor)
        ORDER BY 1 LIMIT %s
        """,
        [DIFFERENCES_SHOWN],
    )
    for order_id, *amounts in cursor.fetchall():
        yield (
            f"order {order_id} (lots, quote, fee) says {tuple(amounts[:3])},"
            f" its fills say {tuple(amounts[3:])}"
        )
