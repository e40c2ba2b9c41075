"""What a socket makes of a topic: the book of a market, or an account, folded message by message.

Each kind takes a snapshot whole and a delta on top of it, as docs/realtime.md tells its readers to.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

FILLS_KEPT: Final = 50
OPEN: Final = ("open", "partially_filled")


class Folded(Protocol):
    """One topic as it stands after the messages so far; equal where nothing was missed."""

    def whole(self, data: dict[str, Any]) -> None: ...

    def fold(self, data: dict[str, Any]) -> None: ...


class BookSides:
    """Both sides of a book, by price."""

    def __init__(self) -> None:
        self.levels: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}

    def whole(self, data: dict[str, Any]) -> None:
        self.levels = {side: dict(data[side]) for side in self.levels}

    def fold(self, data: dict[str, Any]) -> None:
        for side, levels in self.levels.items():
            for price, quantity in data.get(side, ()):
                if quantity == "0":
                    levels.pop(price, None)
                else:
                    levels[price] = quantity

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BookSides) and self.levels == other.levels

    __hash__ = None  # type: ignore[assignment]


class AccountFigures:
    """Open orders, balances and the newest fills of one account."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.balances: dict[str, dict[str, Any]] = {}
        self.fills: dict[int, dict[str, Any]] = {}

    def whole(self, data: dict[str, Any]) -> None:
        self.orders, self.balances, self.fills = {}, {}, {}
        self.fold(data)

    def fold(self, data: dict[str, Any]) -> None:
        for order in data["orders"]:
            if order["status"] in OPEN:
                self.orders[order["id"]] = order
            else:
                self.orders.pop(order["id"], None)
        self.balances |= {balance["asset"]: balance for balance in data["balances"]}
        self.fills |= {int(fill["id"]): fill for fill in data["fills"]}
        self.fills = dict(sorted(self.fills.items())[-FILLS_KEPT:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccountFigures) and (
            (self.orders, self.balances, self.fills) == (other.orders, other.balances, other.fills)
        )

    __hash__ = None  # type: ignore[assignment]
