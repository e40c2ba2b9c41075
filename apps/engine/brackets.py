"""A purchase and what protects it: a take-profit, a stop-loss, or both as a pair.

They begin to live when something of the purchase has filled, once the command at hand has matched
completely, and grow with it. When one of them wakes or ends, what is left of the purchase ends in
the same command: nothing is bought any more that nothing would protect.
"""

from __future__ import annotations

from typing import Final

from apps.engine.balances import Account
from apps.engine.book import RESTING, Book, Order, Side
from apps.engine.idempotency import kept_id
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    GTC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    Accepted,
    AnyEvent,
    Rested,
    Special,
    Terms,
)
from apps.engine.pairs import PAIR, Pairs, Ties
from apps.engine.rates import worst_in_band_ticks
from apps.engine.remainder import less_by, note_amended
from apps.engine.triggers import arm

TAKE_PROFIT_SUFFIX: Final = "-tp"
STOP_LOSS_SUFFIX: Final = "-sl"
_ENTRIES: Final = (LIMIT, MARKET, STOP, STOP_LIMIT)


# ---------------------------------------------------------------- what may be asked for


def has_exits(terms: Terms) -> bool:
    special = terms.special
    return special is not None and (special.take_profit_ticks or special.stop_loss_ticks) > 0


def exits_are_known(terms: Terms, special: Special) -> bool:
    """Whether these fields, and no others, belong together."""
    take_profit, stop_loss = special.take_profit_ticks, special.stop_loss_ticks
    stop_limit = special.stop_loss_limit_ticks
    return (
        terms.order_type in _ENTRIES
        and not terms.quote_minor
        and all(0 <= ticks <= AMOUNT_MAX for ticks in (take_profit, stop_loss, stop_limit))
        and take_profit + stop_loss > 0
        and (stop_loss > 0 or not stop_limit)
        and special
        == Special(
            take_profit_ticks=take_profit,
            stop_loss_ticks=stop_loss,
            stop_loss_limit_ticks=stop_limit,
        )
    )


def exits_refusal(terms: Terms, book: Book) -> str:
    """The stop-loss is below the price of the purchase, the take-profit above it."""
    special = terms.special
    if special is None or not has_exits(terms):
        return ""
    if terms.side != BUY:
        return "bracket_needs_buy"
    take_profit, stop_loss = special.take_profit_ticks, special.stop_loss_ticks
    entry_ticks = terms.price_ticks or terms.stop_ticks or book.last_ticks
    entry_ticks = entry_ticks or book.reference_ticks or book.asks.best_ticks()
    if stop_loss >= entry_ticks or 0 < take_profit <= entry_ticks:
        return "invalid_bracket"
    instrument = book.instrument
    limit = special.stop_loss_limit_ticks
    if limit and limit < worst_in_band_ticks(SELL, stop_loss, instrument.band_bps):
        return "price_band"
    most_minor = take_profit * terms.quantity_lots * instrument.tick_lot_minor
    return "max_notional" if most_minor > book.notional_max_minor else ""


def exit_ids(client_order_id: str, terms: Terms) -> list[str]:
    """The ids that what protects a purchase will have."""
    special = terms.special
    if special is None:
        return []
    ids = [client_order_id + TAKE_PROFIT_SUFFIX] if special.take_profit_ticks else []
    return [*ids, client_order_id + STOP_LOSS_SUFFIX] if special.stop_loss_ticks else ids


def _exit_terms(entry: Terms, lots: int) -> tuple[Terms | None, Terms | None]:
    """What sells so many lots: the take-profit and the stop-loss, where they are asked for."""
    special = entry.special or Special()
    market_id, mode = entry.market_id, entry.self_trade
    take_profit = stop_loss = None
    if special.take_profit_ticks:
        price = special.take_profit_ticks
        take_profit = Terms(
            market_id, SELL, LIMIT, GTC, lots, price_ticks=price, self_trade=mode
        )  # fmt: skip
    if special.stop_loss_ticks:
        price = special.stop_loss_limit_ticks
        stop_loss = Terms(
            market_id, SELL, STOP_LIMIT if price else STOP, GTC, lots, price_ticks=price,
            stop_ticks=special.stop_loss_ticks, self_trade=mode,
        )  # fmt: skip
    return take_profit, stop_loss


# ---------------------------------------------------------------- how it comes to live


class Brackets(Pairs):
    """``aged`` are the live orders whose command is not remembered any more."""

    __slots__ = ("aged", "next_order_id")

    def __init__(self) -> None:
        Pairs.__init__(self)
        self.aged: dict[int, None] = {}
        self.next_order_id = 1

    def _execute(
        self, order: Order, book: Book, own: Side, opposite: Side, events: list[AnyEvent]
    ) -> None:
        raise NotImplementedError

    def await_fills(self, entry: Order) -> None:
        """A purchase has entered, with what is to protect it, whose ids are taken from now on."""
        self.ties[entry.order_id] = Ties()
        account = entry.account
        reserve_exit_ids(account, entry.client_order_id, entry.terms)

    def forget_exits(
        self, account: Account, client_order_id: str, terms: Terms, *, is_live: bool
    ) -> None:
        """The id of a purchase is forgotten, or, while it lives, only its command."""
        client_ids = account.client_ids
        for exit_id in exit_ids(client_order_id, terms):
            remembered = client_ids.get(exit_id)
            if remembered is None:
                continue
            if remembered.order_id in self.orders:
                self.aged[remembered.order_id] = None
            elif not is_live:
                del client_ids[exit_id]

    def follow_fills(self, book: Book, events: list[AnyEvent]) -> list[Order]:
        """Sees to all that tied orders have traded. Answers with the stops that wait since then."""
        stops: list[Order] = []
        while self.filled:
            bought = self._take_bought()
            self._follow_pairs(book, events)
            for order, lots in bought:
                self._protect(order, lots, book, stops, events)
        return stops

    def _take_bought(self) -> list[tuple[Order, int]]:
        found = [order_id for order_id in sorted(self.filled) if self.ties[order_id].is_entry]
        return [self.filled.pop(order_id) for order_id in found]

    def _protect(
        self, entry: Order, lots: int, book: Book, stops: list[Order], events: list[AnyEvent]
    ) -> None:
        ties = self.ties[entry.order_id]
        if ties.exit_ids:
            for number, order_id in enumerate(ties.exit_ids):
                held_lots = 0 if number else lots
                self._grow(self.orders[order_id], lots, held_lots, book, events)
        else:
            self._open_exits(entry, ties, lots, book, stops, events)
        if entry.order_id not in self.orders:
            del self.ties[entry.order_id]

    def _open_exits(
        self,
        entry: Order,
        ties: Ties,
        lots: int,
        book: Book,
        stops: list[Order],
        events: list[AnyEvent],
    ) -> None:
        is_aged = (
            entry.order_id in self.aged or entry.client_order_id not in entry.account.client_ids
        )
        take_profit_terms, stop_loss_terms = _exit_terms(entry.terms, lots)
        found = [terms for terms in (take_profit_terms, stop_loss_terms) if terms is not None]
        ids = exit_ids(entry.client_order_id, entry.terms)
        first_id = self.next_order_id
        self.next_order_id += len(found)
        ties.exit_ids = list(range(first_id, self.next_order_id))
        # One of them holds for both.
        hold_minor = lots * book.instrument.lot_minor
        entry.gains.hold(hold_minor)
        for number, terms in enumerate(found):
            order = _exit(entry, ids[number], first_id + number, terms, book)
            order.hold_minor = 0 if number else hold_minor
            pair_id = 0 if len(found) == 1 else first_id + 1 - number
            self.ties[order.order_id] = Ties(pair_id, entry.order_id)
            self._accept(order, pair_id, entry.order_id, is_aged, events)
        if stop_loss_terms is not None:
            stop = self.orders[ties.exit_ids[-1]]
            arm(stop, book)
            stops.append(stop)
        if take_profit_terms is not None:
            self._execute(self.orders[first_id], book, book.asks, book.bids, events)

    def _accept(
        self, order: Order, pair_id: int, entry_id: int, is_aged: bool, events: list[AnyEvent]
    ) -> None:
        account, instrument = order.account, order.instrument
        order_id = order.order_id
        self.orders[order_id] = order
        account.open_orders[order_id] = instrument.market_id
        account.client_ids[order.client_order_id] = kept_id(
            account.account_id, order.client_order_id, order_id, 0
        )
        if is_aged:
            self.aged[order_id] = None
        events.append(
            Accepted(
                order_id, account.account_id, order.client_order_id, order.terms,
                instrument.base_asset_id, order.hold_minor, instrument.maker_fee_ppm,
                instrument.taker_fee_ppm, pair_id, entry_id,
            )
        )  # fmt: skip

    def _grow(
        self, order: Order, lots: int, held_lots: int, book: Book, events: list[AnyEvent]
    ) -> None:
        """More has been bought: there is more to sell, behind all others at that price."""
        rests = order.place == RESTING
        book_lots = order.remaining_lots if rests else 0
        if rests:
            book.asks.remove(order.order_id, order.price_ticks)
        order.terms = less_by(order.terms, -lots)
        order.remaining_lots += lots
        hold_minor = order.hold_minor + held_lots * order.instrument.lot_minor
        note_amended(order, hold_minor, order.price_ticks if rests else 0, book_lots, PAIR, events)
        if rests:
            book.asks.rest(order)
            note_rested(order, events)


def reserve_exit_ids(account: Account, client_order_id: str, terms: Terms) -> None:
    for exit_id in exit_ids(client_order_id, terms):
        account.client_ids[exit_id] = kept_id(account.account_id, exit_id, 0, 0)


def _exit(entry: Order, client_order_id: str, order_id: int, terms: Terms, book: Book) -> Order:
    instrument = book.instrument
    price_ticks = terms.price_ticks
    if not price_ticks:
        price_ticks = worst_in_band_ticks(SELL, terms.stop_ticks, instrument.band_bps)
    # Who sells holds what he sells, whatever the fees.
    return Order(
        order_id, entry.account, client_order_id, terms, instrument, SELL, price_ticks,
        terms.quantity_lots, 0, 0, entry.gains, entry.spends,
    )  # fmt: skip


def note_rested(order: Order, events: list[AnyEvent]) -> None:
    events.append(
        Rested(
            order.order_id, order.account.account_id, order.instrument.market_id, order.side,
            order.price_ticks, order.remaining_lots,
        )
    )  # fmt: skip
