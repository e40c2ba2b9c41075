"""Orders, fills and ledger as CSV, sent row by row, safe to open in a spreadsheet.

A spreadsheet takes a cell that begins with one of a few signs for a formula and runs it. Text that
does is marked as text; our own numbers are numbers and stay so, negative ones too.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Final

from apps.accounts.models import User
from apps.trades.presentation import fill_json, order_json
from apps.trades.queries import ALL, Wanted, all_fills, all_orders
from apps.wallets.presentation import entry_json
from apps.wallets.queries import all_entries

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_ROWS_JOINED: Final = 200

_ORDER_COLUMNS: Final = (
    "created_at", "market", "side", "type", "status", "reason", "quantity", "quote_amount", "price",
    "stop_price", "time_in_force", "expires_at", "filled_quantity", "filled_quote",
    "average_price", "fee", "fee_asset", "updated_at", "id", "client_order_id",
)  # fmt: skip
_FILL_COLUMNS: Final = (
    "at", "market", "side", "role", "price", "quantity", "quote_amount", "fee", "fee_asset",
    "order_id", "trade_id",
)  # fmt: skip
_ENTRY_COLUMNS: Final = ("at", "asset", "amount", "fee", "kind", "reference", "id")


def orders_csv(*, viewer: User | None, wanted: Wanted = ALL) -> Iterator[str]:
    """Yield the orders of the viewer's main account, oldest first."""
    return _lines(_ORDER_COLUMNS, map(order_json, all_orders(viewer=viewer, wanted=wanted)))


def fills_csv(*, viewer: User | None, wanted: Wanted = ALL) -> Iterator[str]:
    """Yield the fills of the viewer's main account, oldest first."""
    return _lines(_FILL_COLUMNS, map(fill_json, all_fills(viewer=viewer, wanted=wanted)))


def ledger_csv(*, viewer: User | None) -> Iterator[str]:
    """Yield every movement of value on the viewer's main account, oldest first."""
    return _lines(_ENTRY_COLUMNS, map(entry_json, all_entries(viewer=viewer)))


def safe_cell(value: object) -> str:
    """Return the value so that no spreadsheet runs it; nothing where there is none."""
    text = "" if value is None else str(value)
    if text.startswith(_RISKY) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


class _Lines:
    """What the writer of CSV writes to: keeps the lines until they are sent."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line)

    def taken(self) -> str:
        text = "".join(self.written)
        self.written.clear()
        return text


def _lines(columns: tuple[str, ...], rows: Iterable[dict[str, object]]) -> Iterator[str]:
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row[column]) for column in columns])
        if len(lines.written) >= _ROWS_JOINED:
            yield lines.taken()
    yield lines.taken()
