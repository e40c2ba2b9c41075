"""What an engine knows, and what the mere passing of time does to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from apps.engine.balances import Account, Ledger
from apps.engine.book import Book, Order
from apps.engine.escrow import Block
from apps.engine.idempotency import (
    REMEMBERED_MAX,
    REMEMBERED_NS,
    Remembered,
    ids_of,
    kept_id,
)
from apps.engine.matching import Matcher
from apps.engine.messages import OPEN, AnyCommand, Hold, OpenBlock, Place, PlacePair

RULES_VERSIONS: Final = (1,)
TIMERS_ROOM_MIN: Final = 1_000
SECOND_NS: Final = 1_000_000_000

# What a timer is about; its key says which one.
GOOD_TILL_DATE: Final = 1
CANCEL_ALL_AFTER: Final = 2
MARKET_PHASE: Final = 3
INDICATION: Final = 30
BLOCK_OPENING: Final = 20
BLOCK_SLICE: Final = 21

# (due, seq, kind, key): when, of which command, and what for.
Timer: TypeAlias = tuple[int, int, int, int]


class State:
    """All markets, accounts and orders of one shard.

    ``remembered`` are the commands of the last ten minutes, oldest first, ``by_command_id`` the
    same by id; ``forgotten_seq`` is the sequence number of the newest command that has left.
    ``timers`` is a heap. What a timer is about may have ended, or become due at another time,
    since it was added: then it is passed over. ``due_ns`` is no later than the first moment at
    which time alone changes anything; the whole ``second`` that ``now_ns`` is in counts as such a
    thing. ``orders`` are the matcher's. ``recent_blocks`` are ids of blocks whose opening is
    remembered; ``allotting`` are those that the host has to send ``Allot`` for, longest waiting
    first. Of the command ``followed_seq`` that many events have been looked at for blocks.
    """

    __slots__ = (
        "accounts",
        "allotting",
        "blocks",
        "books",
        "books_by_assets",
        "by_command_id",
        "due_ns",
        "followed",
        "followed_seq",
        "forgotten_seq",
        "ledger",
        "matcher",
        "now_ns",
        "orders",
        "recent_blocks",
        "remembered",
        "rules_version",
        "second",
        "seq",
        "timers",
        "timers_room",
        "venue_state",
    )

    def __init__(self) -> None:
        self.seq = 0
        self.now_ns = 0
        self.second = 0
        self.rules_version = RULES_VERSIONS[0]
        self.venue_state = OPEN
        self.books: dict[int, Book] = {}
        self.books_by_assets: dict[tuple[int, int], Book] = {}
        self.ledger = Ledger()
        self.accounts: dict[int, Account] = self.ledger.accounts
        self.matcher = Matcher(self.ledger)
        self.orders: dict[int, Order] = self.matcher.orders
        self.blocks: dict[int, Block] = {}
        self.recent_blocks: dict[int, None] = {}
        self.allotting: dict[int, None] = {}
        self.followed = 0
        self.followed_seq = 0
        self.remembered: deque[Remembered] = deque()
        self.by_command_id: dict[bytes, Remembered] = {}
        self.forgotten_seq = 0
        self.timers: list[Timer] = []
        self.timers_room = TIMERS_ROOM_MIN
        self.due_ns = 0

    def add_book(self, book: Book) -> None:
        """A market that there is from now on. Of several with the same assets the first counts."""
        instrument = book.instrument
        self.books[instrument.market_id] = book
        assets = instrument.base_asset_id, instrument.quote_asset_id
        known = self.books_by_assets.get(assets)
        if known is None or instrument.market_id < known.instrument.market_id:
            self.books_by_assets[assets] = book
        book.by_assets = self.books_by_assets

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

    def order_id_of(self, account_id: int, client_order_id: str) -> int:
        """The order that its owner's own id stands for, or zero."""
        account = self.accounts.get(account_id)
        if account is None or client_order_id not in account.client_ids:
            return 0
        return account.client_ids[client_order_id].order_id

    def add_timer(self, due_ns: int, seq: int, kind: int, key: int) -> None:
        timers = self.timers
        if len(timers) >= self.timers_room:
            # Mostly of what ended early: those that live stay, so that memory is bounded.
            timers[:] = [timer for timer in timers if self.is_live(timer)]
            heapify(timers)
            self.timers_room = 2 * len(timers) + TIMERS_ROOM_MIN
        heappush(timers, (due_ns, seq, kind, key))
        self.due_ns = min(self.due_ns, due_ns)

    def is_live(self, timer: Timer) -> bool:
        due_ns, seq, kind, key = timer
        if _DUE_NS[kind](self, key) != due_ns:
            return False
        set_by = _SET_BY.get(kind)
        return set_by is None or set_by(self, key) == seq

    def next_due_ns(self) -> int | None:
        """When the next timer is due, if any."""
        timers = self.timers
        while timers and not self.is_live(timers[0]):
            heappop(timers)
        return timers[0][0] if timers else None

    def forget_old_commands(self) -> None:
        remembered = self.remembered
        horizon_ns = self.now_ns - REMEMBERED_NS
        while remembered and remembered[0].at_ns <= horizon_ns:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """A live order keeps its owner's id taken, however old its command is."""
        oldest = self.remembered.popleft()
        command = oldest.command
        del self.by_command_id[command.command_id]
        self.forgotten_seq = oldest.seq
        if isinstance(command, Place):
            client_ids = self.accounts[command.account_id].client_ids
            for client_order_id, order_id in ids_of(command, oldest.order_id):
                if order_id not in self.orders:
                    del client_ids[client_order_id]
                    continue
                self.matcher.aged[order_id] = None
                if isinstance(command, PlacePair):
                    client_ids[client_order_id] = kept_id(
                        command.account_id, client_order_id, order_id, oldest.seq
                    )
            if command.terms.special is not None:
                self.matcher.forget_exits(
                    self.accounts[command.account_id],
                    command.client_order_id,
                    command.terms,
                    is_live=oldest.order_id in self.orders,
                )
        elif isinstance(command, Hold):
            del self.ledger.recent_holds[command.hold_id]
        elif isinstance(command, OpenBlock):
            del self.recent_blocks[command.block_id]
            account = self.accounts[command.account_id]
            if oldest.order_id in account.legs:
                self.blocks[command.block_id].is_aged = True
            else:
                del account.client_ids[command.client_order_id]


def _order_due_ns(state: State, order_id: int) -> int:
    order = state.orders.get(order_id)
    return 0 if order is None else order.terms.expires_at_ns


def _cancel_after_ns(state: State, account_id: int) -> int:
    return state.accounts[account_id].cancel_after_ns


def _opening_due_ns(state: State, block_id: int) -> int:
    block = state.blocks.get(block_id)
    return 0 if block is None or block.order or block.status else block.open_until_ns


def _slice_due_ns(state: State, block_id: int) -> int:
    block = state.blocks.get(block_id)
    return 0 if block is None else block.due_ns


def _phase_until_ns(state: State, market_id: int) -> int:
    return state.books[market_id].phase_until_ns


def _indicate_at_ns(state: State, market_id: int) -> int:
    return state.books[market_id].indicate_at_ns


# When the thing that a timer is about is due as things stand, by kind; zero where it has ended.
_DUE_NS: Final[dict[int, Callable[[State, int], int]]] = {
    GOOD_TILL_DATE: _order_due_ns,
    CANCEL_ALL_AFTER: _cancel_after_ns,
    MARKET_PHASE: _phase_until_ns,
    INDICATION: _indicate_at_ns,
    BLOCK_OPENING: _opening_due_ns,
    BLOCK_SLICE: _slice_due_ns,
}


def _cancel_after_seq(state: State, account_id: int) -> int:
    return state.accounts[account_id].cancel_after_seq


def _slice_seq(state: State, block_id: int) -> int:
    return state.blocks[block_id].due_seq


def _phase_seq(state: State, market_id: int) -> int:
    return state.books[market_id].phase_seq


def _indicate_seq(state: State, market_id: int) -> int:
    return state.books[market_id].indicate_seq


# Which command set the timer that counts, by kind, of what can be set anew to the same time: it
# has its turn by the newest, the only one that a snapshot tells.
_SET_BY: Final[dict[int, Callable[[State, int], int]]] = {
    CANCEL_ALL_AFTER: _cancel_after_seq,
    MARKET_PHASE: _phase_seq,
    INDICATION: _indicate_seq,
    BLOCK_SLICE: _slice_seq,
}
