"""What happens between orders: matching, settlement of each trade, resting, stops, endings.

An order arrives here admitted, its hold taken. Everything it causes is appended to ``events`` in
the order in which it happens.
"""

from __future__ import annotations

from typing import Final

from apps.engine.balances import Balance, InvariantViolation, Ledger
from apps.engine.book import Book, Order, Side
from apps.engine.idempotency import Window
from apps.engine.messages import (
    BUY,
    CANCELLED,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FEE_ACCOUNT_ID,
    FILLED,
    FOK,
    GTC,
    GTD,
    LIMIT,
    STOP_LIMIT,
    AnyEvent,
    Closed,
    Prevented,
    Rested,
    Trade,
    Triggered,
)
from apps.engine.risk import PPM, notional_within_minor

# Why matching of an order ended before it was filled; also the reason in its ``Closed``.
NO_LIQUIDITY: Final = "no_liquidity"
BAND: Final = "band"
BUDGET: Final = "budget"
SELF_TRADE: Final = "self_trade"

# Stands for "no cap": the hold of most orders pays for whatever they can trade.
NO_CAP: Final = -1


class Matcher:
    """Live orders of all markets, and what makes them trade and end."""

    __slots__ = (
        "fees",
        "ledger",
        "next_trade_id",
        "orders",
        "traded_lots",
        "traded_value",
        "window",
    )

    def __init__(self, ledger: Ledger, window: Window) -> None:
        self.ledger = ledger
        self.window = window
        self.orders: dict[int, Order] = {}
        self.next_trade_id = 1
        self.fees: dict[int, Balance] = ledger.accounts[FEE_ACCOUNT_ID].balances
        # Sums over the trades of the command at work, for the reference price.
        self.traded_lots = 0
        self.traded_value = 0

    def collect_fees_in(self, asset_id: int) -> None:
        self.ledger.accounts[FEE_ACCOUNT_ID].balance(asset_id)

    def enter(self, order: Order, book: Book, second: int, events: list[AnyEvent]) -> None:
        """A new order: a stop waits, anything else matches now; then stops may wake up."""
        self.orders[order.order_id] = order
        if order.terms.stop_ticks:
            order.armed = True
            book.stops(order.side).add(order, order.terms.stop_ticks)
            return
        self._execute(order, book, events)
        if self.traded_lots:
            if book.buy_stops.keys or book.sell_stops.keys:
                self._run_triggers(book, events)
            book.reference.add(second, self.traded_value, self.traded_lots, book.last_ticks)
            self.traded_lots = self.traded_value = 0

    def close(
        self, order: Order, book: Book, status: int, reason: str, events: list[AnyEvent]
    ) -> None:
        """Ends a live order: it leaves book and memory, its hold goes back."""
        price_ticks = book_lots = 0
        if order.resting:
            price_ticks, book_lots = order.price_ticks, order.remaining_lots
            book.side(order.side).remove(order, price_ticks)
        elif order.armed:
            book.stops(order.side).remove(order, order.terms.stop_ticks)
        released = order.hold_minor
        order.spends.release(released)
        order.hold_minor = 0
        self._forget(order)
        events.append(
            Closed(
                order.order_id,
                order.account_id,
                order.terms.market_id,
                order.side,
                status,
                reason,
                released,
                price_ticks,
                book_lots,
            )
        )

    def _forget(self, order: Order) -> None:
        del self.orders[order.order_id]
        account = self.ledger.accounts[order.account_id]
        del account.open_orders[order.order_id]
        if order.entered_seq <= self.window.forgotten_seq:
            del account.client_ids[order.client_order_id]

    def _execute(self, order: Order, book: Book, events: list[AnyEvent]) -> None:
        """Matches as far as its terms allow, then rests or ends what is left."""
        terms = order.terms
        side = order.side
        opposite = book.asks if side == BUY else book.bids
        limit_key = order.price_ticks * opposite.sign
        keys = opposite.keys
        ended = ""
        if terms.time_in_force == FOK and not self._fillable(order, book, opposite, limit_key):
            self.close(order, book, CANCELLED, "fok", events)
            return
        if keys and keys[-1] >= limit_key:
            ended = self._match(order, book, opposite, limit_key, events)
            if not ended:
                self._forget(order)
                return
        if ended == SELF_TRADE:
            self.close(order, book, EXPIRED, SELF_TRADE, events)
        elif terms.order_type != LIMIT and terms.order_type != STOP_LIMIT:
            if not ended:
                ended = BAND if keys else NO_LIQUIDITY
            filled = ended == BUDGET and terms.quote_minor and order.taker_notional_minor
            self.close(order, book, FILLED if filled else CANCELLED, ended, events)
        elif terms.time_in_force == GTC or terms.time_in_force == GTD:
            order.resting = True
            book.side(side).add(order, order.price_ticks)
            events.append(
                Rested(
                    order.order_id,
                    order.account_id,
                    terms.market_id,
                    side,
                    order.price_ticks,
                    order.remaining_lots,
                )
            )
        else:
            self.close(order, book, CANCELLED, "ioc", events)

    def _match(
        self, taker: Order, book: Book, opposite: Side, limit_key: int, events: list[AnyEvent]
    ) -> str:
        """Trades with the best orders in turn. Answers "" when filled, else why it stopped."""
        keys, levels = opposite.keys, opposite.levels
        by_quote = taker.terms.quote_minor > 0
        cap_minor = self._cap_minor(taker, book)
        lot_value = book.instrument.tick_lot_minor
        while keys:
            key = keys[-1]
            if key < limit_key:
                return BAND
            level = levels[key]
            for maker in level.orders.values():
                break
            if maker.trade_group == taker.trade_group:
                if self._prevent(maker, taker, book, events):
                    return SELF_TRADE
                continue
            lots = maker.remaining_lots
            if cap_minor >= 0:
                affordable = (cap_minor - taker.taker_notional_minor) // (
                    level.price_ticks * lot_value
                )
                if affordable == 0:
                    return BUDGET
                if affordable < lots:
                    lots = affordable
            if not by_quote:
                if taker.remaining_lots < lots:
                    lots = taker.remaining_lots
                taker.remaining_lots -= lots
            maker.remaining_lots -= lots
            self._trade(maker, taker, book, level.price_ticks, lots, events)
            level.lots -= lots
            if not maker.remaining_lots:
                if len(level.orders) > 1:
                    level.remove(maker.order_id)
                else:
                    opposite.drop(key)
                self._forget(maker)
            if by_quote:
                if cap_minor - taker.taker_notional_minor < level.price_ticks * lot_value:
                    return BUDGET
            elif not taker.remaining_lots:
                return ""
        return NO_LIQUIDITY

    def _cap_minor(self, order: Order, book: Book) -> int:
        """The notional that the hold pays for, where that may be less than the order asks."""
        if order.terms.stop_ticks or order.side != BUY or order.terms.price_ticks:
            return NO_CAP
        return notional_within_minor(order.hold_minor, order.taker_fee_ppm)

    def _trade(
        self,
        maker: Order,
        taker: Order,
        book: Book,
        price_ticks: int,
        lots: int,
        events: list[AnyEvent],
    ) -> None:
        """One execution at the maker's price: fees, holds and balances of both sides."""
        instrument = book.instrument
        quote = price_ticks * lots * instrument.tick_lot_minor
        base = lots * instrument.lot_minor
        # Fees are the rounded-up charge on all this order has traded in the role, less what it
        # paid already: many small fills cost no more than one large one.
        notional = maker.maker_notional_minor + quote
        charged = -(-notional * maker.maker_fee_ppm // PPM)
        maker_fee = charged - maker.maker_charged_minor
        maker.maker_notional_minor, maker.maker_charged_minor = notional, charged
        notional = taker.taker_notional_minor + quote
        charged = -(-notional * taker.taker_fee_ppm // PPM)
        taker_fee = charged - taker.taker_charged_minor
        taker.taker_notional_minor, taker.taker_charged_minor = notional, charged
        if taker.side == BUY:
            taker_used = self._pay(taker, quote + taker_fee, instrument.tick_lot_minor)
            maker_used = base
            self._deliver(maker, base, quote - maker_fee)
            taker.gains.available_minor += base
        else:
            maker_used = self._pay(maker, quote + maker_fee, instrument.tick_lot_minor)
            taker_used = base
            self._deliver(taker, base, quote - taker_fee)
            maker.gains.available_minor += base
        self.fees[instrument.quote_asset_id].available_minor += maker_fee + taker_fee
        book.last_ticks = price_ticks
        self.traded_lots += lots
        self.traded_value += price_ticks * lots
        trade_id = self.next_trade_id
        self.next_trade_id = trade_id + 1
        events.append(
            Trade(
                trade_id,
                instrument.market_id,
                taker.side,
                price_ticks,
                lots,
                base,
                quote,
                maker.order_id,
                maker.account_id,
                maker_fee,
                maker_used,
                maker.remaining_lots,
                taker.order_id,
                taker.account_id,
                taker_fee,
                taker_used,
                taker.remaining_lots,
            )
        )

    def _pay(self, buyer: Order, spent_minor: int, tick_lot_minor: int) -> int:
        """Takes a fill out of a buyer's hold; answers by how much the hold fell.

        What is left must not exceed the worst case of the lots still to come: the rest of what
        the fill did not use is available again at once.
        """
        left = buyer.hold_minor - spent_minor
        if left < 0:
            raise InvariantViolation(f"order {buyer.order_id} spends more than it holds")
        if buyer.remaining_lots:
            worst = buyer.remaining_lots * buyer.price_ticks * tick_lot_minor
            worst += -(-worst * buyer.hold_fee_ppm // PPM) + 1
            keep = worst if worst < left else left
        else:
            keep = left if buyer.terms.quote_minor else 0
        used = buyer.hold_minor - keep
        buyer.hold_minor = keep
        spends = buyer.spends
        spends.held_minor -= used
        spends.available_minor += used - spent_minor
        if spends.held_minor < 0:
            raise InvariantViolation(f"order {buyer.order_id} holds more than its account")
        return used

    def _deliver(self, seller: Order, base_minor: int, proceeds_minor: int) -> None:
        seller.hold_minor -= base_minor
        spends = seller.spends
        spends.held_minor -= base_minor
        if seller.hold_minor < 0 or spends.held_minor < 0 or proceeds_minor < 0:
            raise InvariantViolation(f"order {seller.order_id} sells more than it holds")
        seller.gains.available_minor += proceeds_minor

    def _prevent(self, maker: Order, taker: Order, book: Book, events: list[AnyEvent]) -> bool:
        """Keeps one trade group from trading with itself. True when the taker has to end."""
        mode = taker.terms.self_trade
        events.append(Prevented(taker.terms.market_id, maker.order_id, taker.order_id, mode))
        if mode != EXPIRE_TAKER:
            self.close(maker, book, EXPIRED, SELF_TRADE, events)
        return mode != EXPIRE_MAKER

    def _fillable(self, taker: Order, book: Book, opposite: Side, limit_key: int) -> bool:
        """Whether the book would fill the whole order now, self-trade prevention included."""
        wanted = taker.remaining_lots
        cap_minor = self._cap_minor(taker, book)
        spent = 0
        lot_value = book.instrument.tick_lot_minor
        for level in opposite.best_first():
            price_ticks = level.price_ticks
            if price_ticks * opposite.sign < limit_key:
                return False
            for maker in level.orders.values():
                if maker.trade_group == taker.trade_group:
                    if taker.terms.self_trade in (EXPIRE_TAKER, EXPIRE_BOTH):
                        return False
                    continue
                lots = min(maker.remaining_lots, wanted)
                spent += lots * price_ticks * lot_value
                if 0 <= cap_minor < spent:
                    return False
                wanted -= lots
                if not wanted:
                    return True
        return False

    def _run_triggers(self, book: Book, events: list[AnyEvent]) -> None:
        """Wakes stops that the last trade has crossed, in entry order, one at a time."""
        last_ticks = 0
        crossed: list[Order] = []
        while True:
            if book.last_ticks != last_ticks:
                last_ticks = book.last_ticks
                crossed = self._crossed_stops(book)
            while crossed and not crossed[-1].armed:
                crossed.pop()
            if not crossed:
                return
            order = crossed.pop()
            book.stops(order.side).remove(order, order.terms.stop_ticks)
            order.armed = False
            events.append(Triggered(order.order_id, order.account_id, order.terms.market_id))
            self._execute(order, book, events)

    def _crossed_stops(self, book: Book) -> list[Order]:
        """Newest first, so that the next to wake up is taken from the end."""
        found: list[Order] = []
        for stops in (book.buy_stops, book.sell_stops):
            limit_key = book.last_ticks * stops.sign
            for key in reversed(stops.keys):
                if key < limit_key:
                    break
                found.extend(stops.levels[key].orders.values())
        found.sort(key=_order_id, reverse=True)
        return found


def _order_id(order: Order) -> int:
    return order.order_id
