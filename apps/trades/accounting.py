"""What the wallets ask of orders and trades: what they hold, and which command one came by."""

from __future__ import annotations

from typing import Final

from django.db import connection

from apps.engine.messages import BUY
from apps.markets.models import Instrument, Trade
from apps.trades.models import OPEN_STATUSES, BlockEvent
from apps.wallets.holds import BLOCKS, ORDERS, Part

_HELD: Final = """
    SELECT CASE WHEN trades_order.side = %s THEN quote_id ELSE base_id END,
        trades_order.block_id IS NULL, sum(trades_order.held_minor)::bigint, count(*)
    FROM trades_order JOIN markets_instrument ON markets_instrument.id = instrument_id
    WHERE account_id = %s AND trades_order.status = ANY(%s) AND trades_order.held_minor > 0
    GROUP BY 1, 2 ORDER BY 1, 2 DESC
"""
COMMANDS_MAX: Final = 50
_BLOCK: Final = "block "
_SEQ_BITS: Final = 16


def held_by_orders(account_id: int) -> list[Part]:
    """Return what open orders hold. Legs of blocks hold theirs outside of the account's balance."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [BUY, account_id, list(OPEN_STATUSES)])
        return [
            Part(asset_id, ORDERS if is_plain else BLOCKS, amount_minor, count, inside=is_plain)
            for asset_id, is_plain, amount_minor, count in cursor.fetchall()
        ]


def commands_of(reference: str) -> list[int]:
    """Return the commands of a trade's number, or of "block" and a block's number."""
    number = reference.removeprefix(_BLOCK)
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        return []
    if number != reference:
        events = BlockEvent.objects.filter(block_id=int(number)).order_by("-id")
        seqs = {pk >> _SEQ_BITS for pk in events.values_list("pk", flat=True)[:COMMANDS_MAX]}
        return sorted(seqs)
    # By market, because the tape's key begins with it.
    markets = list(Instrument.objects.values_list("pk", flat=True))
    rows = Trade.objects.filter(instrument_id__in=markets, id=int(number))
    return list(rows.values_list("seq", flat=True)[:COMMANDS_MAX])
