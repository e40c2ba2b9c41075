"""A small venue for tests: an engine with named accounts, a clock that tests set, fresh ids."""

from __future__ import annotations

from typing import Any

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    Accepted,
    AnyEvent,
    Cancel,
    Closed,
    Deposit,
    Instrument,
    Limits,
    ListInstrument,
    OpenAccount,
    Place,
    PlacePair,
    Rejected,
    SetReference,
    Terms,
    Trade,
)

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
QUOTE, BASE, MARKET_ID = 1, 2, 1
PLENTY = 10**12


def market(**changes: Any) -> Instrument:
    """One tick times one lot is one quote unit, so that numbers can be checked in the head."""
    fields: dict[str, Any] = {
        "market_id": MARKET_ID,
        "base_asset_id": BASE,
        "quote_asset_id": QUOTE,
        "lot_minor": 1,
        "tick_lot_minor": 1,
        "min_quantity_lots": 1,
        "max_quantity_lots": 0,
        "min_notional_minor": 0,
        "max_notional_minor": 0,
        "maker_fee_ppm": 0,
        "taker_fee_ppm": 0,
        "band_bps": 1_000,
    }
    return Instrument(**{**fields, **changes})


class Venue:
    """Accounts are opened and funded when first named. ``anna.2`` is of anna's trade group."""

    def __init__(self, instrument: Instrument | None = None, *, plenty: int = PLENTY) -> None:
        self.engine = Engine()
        self.now_ns = START_NS
        self.plenty = plenty
        self.ids: dict[str, int] = {}
        self.groups: dict[str, int] = {}
        self.commands = 0
        self.clients = 0
        self.do(ListInstrument, instrument or market())

    # ------------------------------------------------------------ anything

    def head(self, valid_seconds: float = 5) -> tuple[bytes, int]:
        self.commands += 1
        return self.commands.to_bytes(16, "big"), self.now_ns + int(valid_seconds * SECOND)

    def do(self, kind: Any, *values: Any, **named: Any) -> list[AnyEvent]:
        return self.engine.apply(kind(*self.head(), *values, **named), self.now_ns)

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND)

    def again(self) -> Venue:
        """The same venue on an engine restored from its snapshot."""
        self.engine = Engine.restore(self.engine.snapshot())
        return self

    # ------------------------------------------------------------ people

    def account(self, name: str, limits: Limits | None = None) -> int:
        if name not in self.ids:
            self.open(name, limits)
            for asset_id in (QUOTE, BASE):
                if self.plenty:
                    self.do(Deposit, self.ids[name], asset_id, self.plenty)
        return self.ids[name]

    def open(self, name: str, limits: Limits | None = None) -> int:
        number = self.ids[name] = 1_000 + len(self.ids)
        family = name.partition(".")[0]
        group = self.groups.setdefault(family, len(self.groups) + 1)
        self.do(OpenAccount, number, group, limits or Limits(0, 0, 0))
        return number

    def fund(self, name: str, *, quote: int = 0, base: int = 0) -> None:
        for asset_id, amount in ((QUOTE, quote), (BASE, base)):
            if amount:
                self.do(Deposit, self.ids[name], asset_id, amount)

    def name(self, account_id: int) -> str:
        if account_id < 0:
            return "block"
        return next(name for name, number in self.ids.items() if number == account_id)

    def money(self, name: str) -> tuple[int, int, int, int]:
        """(quote available, quote held, base available, base held)"""
        found = {(row[0], row[1]): row[2:] for row in self.engine.balances()}
        number = self.ids[name]
        return *found.get((number, QUOTE), (0, 0)), *found.get((number, BASE), (0, 0))

    # ------------------------------------------------------------ orders

    def place(self, name: str, terms: Terms, client_order_id: str = "") -> list[AnyEvent]:
        account_id = self.account(name)
        self.clients += 1
        return self.do(Place, account_id, client_order_id or f"c{self.clients}", terms)

    def limit(self, name: str, side: int, lots: int, price: int, **more: Any) -> list[AnyEvent]:
        force = more.pop("force", GTC)
        terms = Terms(MARKET_ID, side, LIMIT, force, lots, price_ticks=price, **more)
        return self.place(name, terms)

    def buy(self, name: str, lots: int, price: int, **more: Any) -> list[AnyEvent]:
        return self.limit(name, BUY, lots, price, **more)

    def sell(self, name: str, lots: int, price: int, **more: Any) -> list[AnyEvent]:
        return self.limit(name, SELL, lots, price, **more)

    def market_order(self, name: str, side: int, lots: int = 0, **more: Any) -> list[AnyEvent]:
        force = more.pop("force", IOC)
        return self.place(name, Terms(MARKET_ID, side, MARKET, force, lots, **more))

    def stop(self, name: str, side: int, lots: int, stop: int, price: int = 0) -> list[AnyEvent]:
        kind = STOP_LIMIT if price else STOP
        terms = Terms(MARKET_ID, side, kind, GTC, lots, price_ticks=price, stop_ticks=stop)
        return self.place(name, terms)

    def pair(
        self,
        name: str,
        side: int,
        lots: int,
        price: int,
        stop: int,
        stop_price: int = 0,
        *,
        client_order_id: str = "",
        **more: Any,
    ) -> list[AnyEvent]:
        """A limit order and a stop of which one fills."""
        kind = STOP_LIMIT if stop_price else STOP
        shared = {"time_in_force": GTC, **more}
        force = shared.pop("time_in_force")
        terms = Terms(MARKET_ID, side, LIMIT, force, lots, price_ticks=price, post_only=True)
        stop_terms = Terms(
            MARKET_ID, side, kind, force, lots, price_ticks=stop_price, stop_ticks=stop
        )
        account_id = self.account(name)
        self.clients += 1
        return self.do(
            PlacePair,
            account_id,
            client_order_id or f"c{self.clients}",
            msgspec.structs.replace(terms, **shared),
            msgspec.structs.replace(stop_terms, **shared),
        )

    def cancel(self, name: str, order_id: int) -> list[AnyEvent]:
        return self.do(Cancel, self.account(name), order_id)

    def trade_at(self, price: int, lots: int = 1) -> None:
        """Lets two strangers trade, so that there is a last price."""
        self.sell("maker of prices", lots, price)
        self.buy("taker of prices", lots, price)

    def set_reference(self, price: int) -> None:
        self.do(SetReference, MARKET_ID, price)

    def queue(self, side: int) -> list[tuple[int, str, int, int]]:
        """(price, name, lots, hidden lots) in the order in which they trade."""
        book = self.engine.books[MARKET_ID]
        levels = (book.bids if side == BUY else book.asks).best_first()
        return [
            (
                level.price_ticks,
                self.name(order.account.account_id),
                order.remaining_lots,
                order.hidden_lots,
            )
            for level in levels
            for order in level.orders.values()
        ]


def only(events: list[AnyEvent], kind: Any) -> Any:
    """The one event of a kind."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, events
    return found[0]


def order_id(events: list[AnyEvent]) -> int:
    return int(only(events, Accepted).order_id)


def trades(events: list[AnyEvent]) -> list[tuple[int, int]]:
    """(lots, price)"""
    return [(e.quantity_lots, e.price_ticks) for e in events if isinstance(e, Trade)]


def reason(events: list[AnyEvent]) -> str:
    """Why the command was refused."""
    assert len(events) == 1, events
    return str(only(events, Rejected).reason)


def ending(events: list[AnyEvent]) -> str:
    """Why the order ended."""
    return str(only(events, Closed).reason)


__all__ = [
    "BASE", "BUY", "FOK", "GTC", "GTD", "IOC", "LIMIT", "MARKET", "MARKET_ID", "PLENTY", "QUOTE",
    "SECOND", "SELL", "START_NS", "STOP", "STOP_LIMIT", "Terms", "Venue", "ending", "market",
    "only", "order_id", "reason", "trades",
]  # fmt: skip
