"""What holds of orders that belong together after every command. P stands for pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from apps.engine.messages import LIMIT, Accepted, Amended, AnyEvent, Closed, Terms, Trade, Triggered


class Order(Protocol):
    """What is asked of an order here."""

    terms: Terms
    hold: int
    waiting: bool

    @property
    def left(self) -> int: ...


class PairAuditor:
    """``covered`` are lots of a purchase that its take-profit (True) or stop-loss was for."""

    def __init__(self, require: Callable[..., None]) -> None:
        self.require = require
        self.others: dict[int, int] = {}
        self.parents: dict[int, int] = {}
        self.lots: dict[int, int] = {}
        self.is_limit: dict[int, bool] = {}
        self.bought: dict[int, int] = {}
        self.asked: dict[int, tuple[int, int]] = {}
        self.covered: dict[tuple[int, bool], int] = {}
        self.unprotected: set[int] = set()

    def note(self, event: AnyEvent) -> None:
        match event:
            case Accepted():
                self._accepted(event)
            case Trade():
                self._filled(event.maker_order_id, event.quantity_lots, event.maker_remaining_lots)
                self._filled(event.taker_order_id, event.quantity_lots, event.taker_remaining_lots)
            case Amended() if event.order_id in self.parents:
                more = event.terms.quantity_lots - self.lots[event.order_id]
                self.lots[event.order_id] = event.terms.quantity_lots
                if more > 0:
                    self._cover(event.order_id, more)
            case Closed():
                self._leave(event.order_id)
            case Triggered() if event.order_id in self.others:
                self.require(
                    event.pair_order_id == self.others[event.order_id], "P3 whose hold", event
                )
                del self.others[self.others.pop(event.order_id)]
                self._leave(event.order_id)
            case Triggered():
                self._leave(event.order_id)
            case _:
                pass

    def check(self, orders: Mapping[int, Order]) -> None:
        for order_id, other_id in list(self.others.items()):
            order, other = orders.get(order_id), orders.get(other_id)
            if order is None or other is None:
                self.require(order is other, "P1 one ends with the other", order_id, other_id)
                del self.others[order_id]
                continue
            self.require(order.left == other.left, "P2 what fills of one", order, other)
            self.require(order.waiting != other.waiting, "P2 one waits, one rests", order, other)
            waits = order if order.waiting else other
            self.require(waits.hold == 0, "P3 one hold", order, other)
        for order_id in self.unprotected:
            self.require(order_id not in orders, "P5 no purchase without protection", order_id)
        self.unprotected.clear()
        for order_id, bought in list(self.bought.items()):
            for is_limit, ticks in zip((True, False), self.asked[order_id], strict=True):
                covered = self.covered.get((order_id, is_limit), 0)
                right = covered == (bought if ticks else 0)
                self.require(right, "P4 what is bought is protected", order_id, bought, covered)
            if order_id not in orders:
                del self.bought[order_id]

    def _accepted(self, event: Accepted) -> None:
        order_id, special = event.order_id, event.terms.special
        if event.pair_order_id:
            self.others[order_id] = event.pair_order_id
        if event.parent_order_id:
            self.parents[order_id] = event.parent_order_id
            self.lots[order_id] = event.terms.quantity_lots
            self.is_limit[order_id] = event.terms.order_type == LIMIT
            self._cover(order_id, event.terms.quantity_lots)
        if special is not None and (special.take_profit_ticks or special.stop_loss_ticks):
            self.bought[order_id] = 0
            self.asked[order_id] = (special.take_profit_ticks, special.stop_loss_ticks)

    def _filled(self, order_id: int, lots: int, remaining_lots: int) -> None:
        if order_id in self.bought:
            self.bought[order_id] += lots
        if not remaining_lots:
            self._leave(order_id)

    def _cover(self, order_id: int, lots: int) -> None:
        key = (self.parents[order_id], self.is_limit[order_id])
        self.covered[key] = self.covered.get(key, 0) + lots

    def _leave(self, order_id: int) -> None:
        if order_id in self.parents:
            self.unprotected.add(self.parents.pop(order_id))
