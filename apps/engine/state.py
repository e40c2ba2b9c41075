"""What an engine knows, and what the mere passing of time does to it."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final

from apps.engine.balances import Account, Ledger
from apps.engine.book import Book, Order
from apps.engine.idempotency import REMEMBERED_MAX, REMEMBERED_NS, Remembered
from apps.engine.matching import Matcher
from apps.engine.messages import EXPIRED, OPEN, AnyCommand, AnyEvent, Hold, Place

RULES_VERSIONS: Final = (1,)
SECOND_NS: Final = 1_000_000_000


class State:
    """All markets, accounts and orders of one shard.

    ``remembered`` are the commands of the last ten minutes, oldest first, ``by_command_id`` the
    same by id; ``forgotten_seq`` is the sequence number of the newest command that has left.
    ``timers`` are (due, order id) of good-till-date orders. Order ids rise with the sequence
    number, so this sorts by (due, seq). An order that ended earlier is passed over when it is due.
    ``due_ns`` is no later than the first moment at which time alone changes anything; the whole
    ``second`` that ``now_ns`` is in counts as such a thing. ``orders`` are the matcher's.
    """

    __slots__ = (
        "accounts",
        "books",
        "by_command_id",
        "due_ns",
        "forgotten_seq",
        "ledger",
        "matcher",
        "next_order_id",
        "now_ns",
        "orders",
        "remembered",
        "rules_version",
        "second",
        "seq",
        "timers",
        "venue_state",
    )

    def __init__(self) -> None:
        self.seq = 0
        self.now_ns = 0
        self.second = 0
        self.rules_version = RULES_VERSIONS[0]
        self.venue_state = OPEN
        self.next_order_id = 1
        self.books: dict[int, Book] = {}
        self.ledger = Ledger()
        self.accounts: dict[int, Account] = self.ledger.accounts
        self.matcher = Matcher(self.ledger)
        self.orders: dict[int, Order] = self.matcher.orders
        self.remembered: deque[Remembered] = deque()
        self.by_command_id: dict[bytes, Remembered] = {}
        self.forgotten_seq = 0
        self.timers: list[tuple[int, int]] = []
        self.due_ns = 0

    def set_venue(self, venue_state: int) -> None:
        self.venue_state = venue_state
        for book in self.books.values():
            book.set_venue(venue_state)

    def remember(self, command: AnyCommand, order_id: int) -> Remembered:
        entry = Remembered(self.now_ns, self.seq, order_id, command)
        self.remembered.append(entry)
        self.by_command_id[command.command_id] = entry
        if len(self.remembered) > REMEMBERED_MAX:
            self._forget_oldest()
        return entry

    def add_timer(self, order: Order) -> None:
        timers = self.timers
        orders = self.orders
        if len(timers) > 2 * len(orders) + 1000:
            # Mostly orders that ended early: keep the live ones, so that memory stays bounded.
            timers[:] = [timer for timer in timers if timer[1] in orders]
            heapify(timers)
        due_ns = order.terms.expires_at_ns
        heappush(timers, (due_ns, order.order_id))
        self.due_ns = min(self.due_ns, due_ns)

    def next_due_ns(self) -> int | None:
        """When the next timer is due, if any."""
        timers = self.timers
        while timers and timers[0][1] not in self.orders:
            heappop(timers)
        return timers[0][0] if timers else None

    def wake(self, events: list[AnyEvent]) -> None:
        """Does what is due by now: old commands are forgotten, good-till-date orders end."""
        self.second = self.now_ns // SECOND_NS
        remembered = self.remembered
        horizon_ns = self.now_ns - REMEMBERED_NS
        while remembered and remembered[0].at_ns <= horizon_ns:
            self._forget_oldest()
        timers = self.timers
        while timers and timers[0][0] <= self.now_ns:
            order = self.orders.get(heappop(timers)[1])
            if order is not None:
                book = self.books[order.terms.market_id]
                self.matcher.close(order, book, EXPIRED, "gtd", events)
        # A command remembered from now on leaves no sooner than the oldest there is.
        oldest_ns = remembered[0].at_ns if remembered else self.now_ns
        self.due_ns = min(oldest_ns + REMEMBERED_NS, (self.second + 1) * SECOND_NS)
        if timers:
            self.due_ns = min(self.due_ns, timers[0][0])

    def _forget_oldest(self) -> None:
        """A live order keeps its owner's id taken, however old its command is."""
        oldest = self.remembered.popleft()
        command = oldest.command
        del self.by_command_id[command.command_id]
        self.forgotten_seq = oldest.seq
        if isinstance(command, Place):
            if oldest.order_id in self.orders:
                self.matcher.aged[oldest.order_id] = None
            else:
                del self.accounts[command.account_id].client_ids[command.client_order_id]
        elif isinstance(command, Hold):
            del self.ledger.recent_holds[command.hold_id]
