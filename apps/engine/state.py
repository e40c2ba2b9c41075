"""What an engine knows, and what the mere passing of time does to it."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from apps.engine.balances import Ledger
from apps.engine.book import Book, Order
from apps.engine.idempotency import Window
from apps.engine.matching import Matcher
from apps.engine.messages import EXPIRED, OPEN, AnyEvent, Hold, Place

RULES_VERSIONS: Final = (1,)
SECOND_NS: Final = 1_000_000_000


class State:
    """All markets, accounts and orders of one shard."""

    __slots__ = (
        "books",
        "ledger",
        "matcher",
        "next_order_id",
        "now_ns",
        "rules_version",
        "seq",
        "timers",
        "venue_state",
        "window",
    )

    def __init__(self) -> None:
        self.seq = 0
        self.now_ns = 0
        self.rules_version = RULES_VERSIONS[0]
        self.venue_state = OPEN
        self.next_order_id = 1
        self.books: dict[int, Book] = {}
        self.ledger = Ledger()
        self.window = Window()
        self.matcher = Matcher(self.ledger, self.window)
        # (due, order id) of good-till-date orders. Order ids rise with the sequence number, so
        # this sorts by (due, seq). An order that ended earlier is passed over when it is due.
        self.timers: list[tuple[int, int]] = []

    def forget_oldest(self) -> None:
        """Drops the oldest remembered command; a live order keeps its owner's id taken."""
        _, _, order_id, command = self.window.forget_oldest()
        if isinstance(command, Place):
            if order_id not in self.matcher.orders:
                account = self.ledger.accounts[command.account_id]
                del account.client_ids[command.client_order_id]
        elif isinstance(command, Hold):
            del self.ledger.recent_holds[command.hold_id]

    def add_timer(self, order: Order) -> None:
        timers = self.timers
        orders = self.matcher.orders
        if len(timers) > 2 * len(orders) + 1000:
            # Mostly orders that ended early: keep the live ones, so that memory stays bounded.
            timers[:] = [timer for timer in timers if timer[1] in orders]
            heapify(timers)
        heappush(timers, (order.terms.expires_at_ns, order.order_id))

    def next_due_ns(self) -> int | None:
        """When the next timer is due, if any."""
        timers = self.timers
        while timers and timers[0][1] not in self.matcher.orders:
            heappop(timers)
        return timers[0][0] if timers else None

    def run_timers(self, events: list[AnyEvent]) -> None:
        """Ends every order that is due by now, in order of (due, seq)."""
        timers = self.timers
        while timers and timers[0][0] <= self.now_ns:
            order = self.matcher.orders.get(heappop(timers)[1])
            if order is not None:
                book = self.books[order.terms.market_id]
                self.matcher.close(order, book, EXPIRED, "gtd", events)
