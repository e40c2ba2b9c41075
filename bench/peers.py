"""Other matching engines behind one small face, each only where it is installed.

They match and nothing else: no balances, fees, limits, journal format or snapshots. What they
print is therefore an upper bound for them, and is compared with our matching by its fills alone.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any, Protocol

# (order that was in the book, price in ticks, lots) of every execution, in order.
Fill = tuple[int, int, int]


class Peer(Protocol):
    name: str
    fills: list[Fill]

    def add(self, key: int, is_buy: bool, price_ticks: int, lots: int) -> None: ...

    def cancel(self, key: int) -> None: ...


class OrderlyChaos:
    name = "orderly-chaos"

    def __init__(self) -> None:
        module: Any = importlib.import_module("orderly_chaos")
        self.fills: list[Fill] = []
        self._buy, self._sell = module.Side.BUY, module.Side.SELL
        self._book = module.LimitOrderBook(on_trade=self._traded)

    def add(self, key: int, is_buy: bool, price_ticks: int, lots: int) -> None:
        self._book.limit(self._buy if is_buy else self._sell, key, lots, price_ticks)

    def cancel(self, key: int) -> None:
        self._book.cancel(key)

    def _traded(self, trade: Any) -> None:
        self.fills.append((trade.maker_id, trade.price, trade.quantity))


class LightMatchingEngine:
    """It hands out ids of its own, from 1 as ours, and reports each side of a trade."""

    name = "lightmatchingengine"

    def __init__(self) -> None:
        module: Any = importlib.import_module("lightmatchingengine.lightmatchingengine")
        self.fills: list[Fill] = []
        self._sides = module.Side
        self._engine = module.LightMatchingEngine()

    def add(self, key: int, is_buy: bool, price_ticks: int, lots: int) -> None:
        side = self._sides.BUY if is_buy else self._sides.SELL
        _, trades = self._engine.add_order("M", price_ticks, lots, side)
        for trade in trades:
            if trade.order_id != key:
                self.fills.append((trade.order_id, trade.trade_price, trade.trade_qty))

    def cancel(self, key: int) -> None:
        self._engine.cancel_order(key, "M")


class Liquibook:
    """Orders are objects that stay with the caller; its ids count from the process's start."""

    name = "liquibook"

    def __init__(self) -> None:
        module: Any = importlib.import_module("liquibook")
        self.fills: list[Fill] = []
        self._new_order = module.SimpleOrder
        self._orders: dict[int, Any] = {}
        self._listener = _liquibook_listener(module, self.fills)
        self._book = module.DepthOrderBook()
        self._book.set_order_listener(self._listener)
        self._listener.first_id = module.SimpleOrder(True, 1, 1).order_id_

    def add(self, key: int, is_buy: bool, price_ticks: int, lots: int) -> None:
        order = self._orders[key] = self._new_order(is_buy, price_ticks, lots)
        self._book.add(order)

    def cancel(self, key: int) -> None:
        self._book.cancel(self._orders.pop(key))


def _liquibook_listener(module: Any, fills: list[Fill]) -> Any:
    class Listener(module.OrderListener):
        first_id = 0

        def on_accept(self, order: Any) -> None: ...

        def on_cancel(self, order: Any) -> None: ...

        def on_fill(self, taker: Any, maker: Any, lots: int, price_ticks: int) -> None:
            fills.append((maker.order_id_ - self.first_id, price_ticks, lots))

    return Listener()


def installed() -> Iterator[type[OrderlyChaos | LightMatchingEngine | Liquibook]]:
    """The peers that are here; each round of a bench makes its own."""
    for package, peer in (
        ("liquibook", Liquibook),
        ("orderly_chaos", OrderlyChaos),
        ("lightmatchingengine", LightMatchingEngine),
    ):
        if importlib.util.find_spec(package) is not None:
            yield peer
