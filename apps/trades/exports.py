"""Orders, fills and ledger as CSV, sent row by row, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.accounts.models import User
from apps.core.spreadsheet import lines
from apps.trades.presentation import fill_json, order_json
from apps.trades.queries import ALL, Wanted, all_fills, all_orders
from apps.wallets.presentation import entry_json
from apps.wallets.queries import all_entries

ORDER_COLUMNS: Final = (
    "created_at", "market", "side", "type", "status", "reason", "quantity", "quote_amount", "price",
    "stop_price", "time_in_force", "expires_at", "filled_quantity", "filled_quote",
    "average_price", "fee", "fee_asset", "updated_at", "id", "client_order_id",
)  # fmt: skip
FILL_COLUMNS: Final = (
    "at", "market", "side", "role", "price", "quantity", "quote_amount", "fee", "fee_asset",
    "order_id", "trade_id",
)  # fmt: skip
ENTRY_COLUMNS: Final = ("at", "asset", "amount", "fee", "kind", "reference", "id")


def orders_csv(*, viewer: User | None, wanted: Wanted = ALL) -> Iterator[str]:
    """Yield the orders of the viewer's main account, oldest first."""
    return lines(ORDER_COLUMNS, map(order_json, all_orders(viewer=viewer, wanted=wanted)))


def fills_csv(*, viewer: User | None, wanted: Wanted = ALL) -> Iterator[str]:
    """Yield the fills of the viewer's main account, oldest first."""
    return lines(FILL_COLUMNS, map(fill_json, all_fills(viewer=viewer, wanted=wanted)))


def ledger_csv(*, viewer: User | None) -> Iterator[str]:
    """Yield every movement of value on the viewer's main account, oldest first."""
    return lines(ENTRY_COLUMNS, map(entry_json, all_entries(viewer=viewer)))
