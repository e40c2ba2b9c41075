"""What happens between orders: matching, settlement of each trade, resting, endings.

An order arrives here admitted, its hold taken. Everything it causes is appended to ``events`` in
the order in which it happens.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.allotting import Member
from apps.engine.balances import Balance, InvariantViolation, Ledger
from apps.engine.book import ARMED, RESTING, Book, Level, Order, Side
from apps.engine.brackets import Brackets, has_exits, note_rested
from apps.engine.escrow import FULL, SHARED_LEGS_MAX, Block, share_copiers
from apps.engine.messages import (
    BUY,
    CANCELLED,
    DECREMENT,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FEE_ACCOUNT_ID,
    FILLED,
    FOK,
    GTC,
    GTD,
    MARKET,
    PHASE_LIMIT,
    AnyEvent,
    Closed,
    Prevented,
    Trade,
    Triggered,
)
from apps.engine.rates import PPM, buy_hold_minor, fee_minor, notional_within_minor
from apps.engine.remainder import show_part, shrink
from apps.engine.triggers import Watch, arm, bound_trailing, disarm

# Why matching of an order ended before it was filled; also the reason in its ``Closed``.
NO_LIQUIDITY: Final = "no_liquidity"
BAND: Final = "band"
BUDGET: Final = "budget"
SELF_TRADE: Final = "self_trade"

# Stands for "no cap": the hold of most orders pays for whatever they can trade.
NO_CAP: Final = -1
OWN_ORDER: Final = -1


class Matcher(Brackets):
    """Live orders of all markets, and what makes them trade and end.

    ``blocks`` are by the id of their order, while it lives.
    """

    __slots__ = (
        "blocks",
        "fees",
        "next_trade_id",
        "traded_lots",
        "traded_value",
    )

    def __init__(self, ledger: Ledger) -> None:
        Brackets.__init__(self)
        self.blocks: dict[int, Block] = {}
        self.next_trade_id = 1
        self.fees: dict[int, Balance] = ledger.accounts[FEE_ACCOUNT_ID].balances
        # Sums over the trades of the command at work, for the reference price.
        self.traded_lots = 0
        self.traded_value = 0

    def collect_fees_in(self, asset_id: int) -> None:
        self.fees.setdefault(asset_id, Balance())

    def enter(
        self,
        order: Order,
        book: Book,
        own: Side,
        opposite: Side,
        second: int,
        events: list[AnyEvent],
    ) -> None:
        """A new order waits for its price or matches now; then others may wake up."""
        if order.terms.special is not None and has_exits(order.terms):
            self.await_fills(order)
        if order.terms.order_type > MARKET:
            arm(order, book)
            return
        self.arrive(order, book, own, opposite, second, events)

    def arrive(
        self,
        order: Order,
        book: Book,
        own: Side,
        opposite: Side,
        second: int,
        events: list[AnyEvent],
    ) -> None:
        """An order comes to the market: it matches, and what its trades set off follows."""
        if book.phase > PHASE_LIMIT:
            # In the call phase of an auction orders are only collected.
            self._rest(order, own, events)
            return
        self._execute(order, book, own, opposite, events)
        if self.traded_lots:
            if book.phase:
                book.traded_inside = True
                self.attention[book.instrument.market_id] = None
            self.after_trades(book, second, events)

    def after_trades(self, book: Book, second: int, events: list[AnyEvent]) -> None:
        """What trades set off: tied orders follow, waiting ones wake, and the reference moves."""
        if self.filled:
            self.follow_fills(book, events)
        if book.armed:
            self._wake(book, events)
        self._move_reference(book, second)

    def after_step(self, book: Book, second: int, events: list[AnyEvent]) -> None:
        """The same between two steps of an auction, in which nothing wakes."""
        if self.filled:
            self.follow_fills(book, events)
        self._move_reference(book, second)

    def _move_reference(self, book: Book, second: int) -> None:
        if self.traded_lots:
            book.reference.add(second, self.traded_value, self.traded_lots, book.last_ticks)
            book.loosen_band()
            self.traded_lots = self.traded_value = 0

    def cross(
        self,
        older: Order,
        newer: Order,
        book: Book,
        price_ticks: int,
        lots: int,
        events: list[AnyEvent],
    ) -> None:
        """Two orders of the book trade in an auction. Both pay what makers pay."""
        for order in (older, newer):
            # All of an iceberg is in play, and hidden again by ``hide``.
            order.remaining_lots, order.hidden_lots = order.left_lots, 0
        entered = newer.instrument
        newer.instrument = msgspec.structs.replace(entered, taker_fee_ppm=entered.maker_fee_ppm)
        older.remaining_lots -= lots
        newer.remaining_lots -= lots
        self._trade(older, newer, book, price_ticks, lots, events)
        newer.instrument = entered
        for order in (older, newer):
            if not order.remaining_lots:
                book.side(order.side).remove(order.order_id, order.price_ticks)
                self._forget(order)

    def hide(self, order: Order, book: Book, hidden_lots: int, events: list[AnyEvent]) -> None:
        """An iceberg is left over after an auction, to which it gave first what it showed."""
        if order.remaining_lots > hidden_lots:
            order.remaining_lots -= hidden_lots
            order.hidden_lots = hidden_lots
        else:
            side = book.side(order.side)
            self._refill(order, side.levels[order.price_ticks * side.sign], events)

    def part(
        self,
        older: Order,
        newer: Order,
        ends: Order | None,
        legs: list[Member],
        book: Book,
        events: list[AnyEvent],
    ) -> None:
        """Two orders must not meet in an auction: one ends, or legs leave the newer, a block."""
        if ends is None:
            self.blocks[newer.order_id].leave(legs, CANCELLED, SELF_TRADE, events)
            if not newer.remaining_lots:
                self.close(newer, book, FILLED, FULL, events)
            return
        mode = EXPIRE_TAKER if ends is newer else EXPIRE_MAKER
        market_id = newer.terms.market_id
        events.append(Prevented(market_id, older.order_id, newer.order_id, mode))
        self.close(ends, book, EXPIRED, SELF_TRADE, events)

    def close(
        self, order: Order, book: Book, status: int, reason: str, events: list[AnyEvent]
    ) -> None:
        """Ends a live order: it leaves book and memory, its hold goes back."""
        order_id = order.order_id
        side = order.side
        price_ticks = book_lots = 0
        if order.place == RESTING:
            price_ticks = order.price_ticks
            book_lots = order.remaining_lots
            (book.bids if side == BUY else book.asks).remove(order_id, price_ticks)
        elif order.place == ARMED:
            disarm(order, book)
        released = order.hold_minor
        spends = order.spends
        held = spends.held_minor - released
        if held < 0:
            raise InvariantViolation(f"order {order_id} holds more than its account")
        spends.held_minor = held
        spends.available_minor += released
        account = order.account
        del self.orders[order_id]
        del account.open_orders[order_id]
        if self.aged:
            self._forget_aged(order)
        events.append(
            Closed(
                order_id, account.account_id, order.instrument.market_id, side,
                status, reason, released, price_ticks, book_lots,
            )
        )  # fmt: skip
        if self.ties:
            self.untie(order, book, events)

    def _forget(self, order: Order) -> None:
        del self.orders[order.order_id]
        del order.account.open_orders[order.order_id]
        if self.aged:
            self._forget_aged(order)

    def _forget_filled(self, maker: Order, level: Level, opposite: Side) -> None:
        """A maker without lots leaves its level, of which it is the first, and memory."""
        order_id = maker.order_id
        orders = level.orders
        if len(orders) == 1:
            del opposite.levels[opposite.keys.pop()]
        else:
            del orders[order_id]
            level.room -= 1
            if not level.room:
                level.close_holes()
        del self.orders[order_id]
        del maker.account.open_orders[order_id]
        if self.aged:
            self._forget_aged(maker)

    def _forget_aged(self, order: Order) -> None:
        """The owner's id was kept only for the order's sake, where its command is forgotten."""
        if order.order_id in self.aged:
            del self.aged[order.order_id]
            del order.account.client_ids[order.client_order_id]
            if has_exits(order.terms):
                self.forget_exits(order.account, order.client_order_id, order.terms, is_live=False)

    def _execute(
        self, order: Order, book: Book, own: Side, opposite: Side, events: list[AnyEvent]
    ) -> None:
        """Matches as far as its terms allow, then rests or ends what is left."""
        terms = order.terms
        limit_key = order.price_ticks * opposite.sign
        keys = opposite.keys
        force = terms.time_in_force
        if force == FOK and not self._fillable(order, book, opposite, limit_key):
            self.close(order, book, CANCELLED, "fok", events)
            return
        stopped = ""
        if keys and keys[-1] >= limit_key:
            stopped = self._match(order, book, opposite, limit_key, events)
            if not stopped:
                self._forget(order)
                return
        # Only what has a limit can rest, or be too far from the book.
        if stopped != SELF_TRADE and terms.price_ticks:
            if force in (GTC, GTD):
                self._rest(order, own, events)
            else:
                self.close(order, book, CANCELLED, "ioc", events)
        elif stopped == SELF_TRADE:
            self.close(order, book, EXPIRED, SELF_TRADE, events)
        elif stopped == BUDGET and terms.quote_minor and order.traded_minor:
            self.close(order, book, FILLED, BUDGET, events)
        else:
            reason = stopped or (BAND if keys else NO_LIQUIDITY)
            if reason == BAND:
                book.hit_side = order.side
                self.attention[book.instrument.market_id] = None
            self.close(order, book, CANCELLED, reason, events)

    def _rest(self, order: Order, own: Side, events: list[AnyEvent]) -> None:
        self.change_role(order, order.instrument.maker_fee_ppm)
        show_part(order)
        own.rest(order)
        note_rested(order, events)

    def _refill(self, maker: Order, level: Level, events: list[AnyEvent]) -> None:
        """The shown part of an iceberg is gone: the next one goes behind its level."""
        show_part(maker)
        del level.orders[maker.order_id]
        level.orders[maker.order_id] = maker
        level.room -= 1
        if not level.room:
            level.close_holes()
        note_rested(maker, events)

    def change_role(self, order: Order, fee_ppm: int) -> None:
        """A taker comes to rest, or a maker leaves the book to take: it goes on where it was.

        Fees are rounded up once over all that an order has traded in a role, however often it
        comes back to that role.
        """
        order.traded_minor, order.aside_minor = order.aside_minor, order.traded_minor
        order.charged_minor = fee_minor(order.traded_minor, fee_ppm) if order.traded_minor else 0

    def _match(  # noqa: C901 - the innermost loop, where a call costs as much as its body
        self, taker: Order, book: Book, opposite: Side, limit_key: int, events: list[AnyEvent]
    ) -> str:
        """Trades with the best orders in turn. Answers "" when filled, else why it stopped."""
        keys, levels = opposite.keys, opposite.levels
        group = taker.account.trade_group
        cap_minor = self._cap_minor(taker)
        by_quote = taker.terms.quote_minor > 0
        blocks = self.blocks
        while keys:
            key = keys[-1]
            if key < limit_key:
                return BAND
            level = levels[key]
            maker = next(iter(level.orders.values()))
            if maker.account.trade_group == group or (
                blocks and share_copiers(blocks, maker, taker)
            ):
                if self._prevent(maker, taker, book, events):
                    return SELF_TRADE
                if not taker.remaining_lots and not by_quote:
                    return ""
                continue
            lots = maker.remaining_lots
            if cap_minor != NO_CAP:
                lot_value = level.price_ticks * book.instrument.tick_lot_minor
                lots = min(lots, (cap_minor - taker.traded_minor) // lot_value)
                if not lots:
                    return BUDGET
            if not by_quote:
                left = taker.remaining_lots
                if left < lots:
                    lots = left
                taker.remaining_lots = left - lots
            left = maker.remaining_lots - lots
            maker.remaining_lots = left
            self._trade(maker, taker, book, level.price_ticks, lots, events)
            if not left:
                if maker.hidden_lots:
                    self._refill(maker, level, events)
                else:
                    self._forget_filled(maker, level, opposite)
            if by_quote:
                if cap_minor - taker.traded_minor < lot_value:
                    return BUDGET
            elif not taker.remaining_lots:
                return ""
        return NO_LIQUIDITY

    def _cap_minor(self, order: Order) -> int:
        """The notional that the hold pays for, where that may be less than the order asks."""
        if order.side != BUY or order.terms.order_type != MARKET:
            return NO_CAP
        return notional_within_minor(order.hold_minor, order.instrument.taker_fee_ppm)

    def _trade(
        self, maker: Order, taker: Order, book: Book, ticks: int, lots: int, events: list[AnyEvent]
    ) -> None:
        """One execution at the maker's price: fees, holds and balances of both sides."""
        instrument = book.instrument
        value = ticks * lots
        quote = value * instrument.tick_lot_minor
        base = lots * instrument.lot_minor
        # A fee is the rounded-up charge on all that the order has traded in this role, less the
        # charge before: many small fills cost no more than one large one.
        traded = maker.traded_minor + quote
        charged = (traded * maker.instrument.maker_fee_ppm + 999_999) // PPM
        maker_fee = charged - maker.charged_minor
        maker.traded_minor = traded
        maker.charged_minor = charged
        traded = taker.traded_minor + quote
        charged = (traded * taker.instrument.taker_fee_ppm + 999_999) // PPM
        taker_fee = charged - taker.charged_minor
        taker.traded_minor = traded
        taker.charged_minor = charged
        taker_buys = taker.side == BUY
        if taker_buys:
            buyer, seller = taker, maker
            left = buyer.hold_minor - quote - taker_fee
            proceeds = quote - maker_fee
        else:
            buyer, seller = maker, taker
            left = buyer.hold_minor - quote - maker_fee
            proceeds = quote - taker_fee
        if left < 0 or seller.hold_minor < base:
            raise InvariantViolation(f"{maker.order_id} or {taker.order_id} holds too little")
        # What the buyer keeps must not exceed the worst case of the lots still to come: what the
        # fill did not use is available again at once. The seller's hold is the quantity itself.
        lots_left = buyer.remaining_lots + buyer.hidden_lots
        if lots_left:
            notional = lots_left * buyer.price_ticks * instrument.tick_lot_minor
            worst = buy_hold_minor(notional, buyer.hold_fee_ppm)
            if worst < left and self.ties:
                worst = self.pair_hold_minor(buyer, worst)
            keep = worst if worst < left else left
        else:
            keep = left if buyer.terms.quote_minor else 0
        used = buyer.hold_minor - keep
        buyer.hold_minor = keep
        spends = buyer.spends
        spends.held_minor -= used
        spends.available_minor += left - keep
        buyer.gains.available_minor += base
        seller.hold_minor -= base
        seller.spends.held_minor -= base
        seller.gains.available_minor += proceeds
        self.fees[instrument.quote_asset_id].available_minor += maker_fee + taker_fee
        book.last_ticks = ticks
        self.traded_lots += lots
        self.traded_value += value
        if self.ties:
            self.note_filled(maker, lots)
            self.note_filled(taker, lots)
        trade_id = self.next_trade_id
        self.next_trade_id = trade_id + 1
        events.append(
            Trade(
                trade_id, instrument.market_id, taker.side, ticks, lots, base, quote,
                maker.order_id, maker.account.account_id,
                maker_fee, base if taker_buys else used, maker.remaining_lots + maker.hidden_lots,
                taker.order_id, taker.account.account_id,
                taker_fee, used if taker_buys else base, taker.remaining_lots,
            )
        )  # fmt: skip

    def _prevent(self, maker: Order, taker: Order, book: Book, events: list[AnyEvent]) -> bool:
        """Keeps one trade group from trading with itself. True when the taker has to end."""
        mode = taker.terms.self_trade
        if self.blocks:
            if self._leave_block(maker, taker, events):
                return False
            if maker.order_id in self.blocks:
                # Nobody ends a block by what he sends against it.
                mode = EXPIRE_TAKER
        events.append(Prevented(taker.terms.market_id, maker.order_id, taker.order_id, mode))
        if mode == DECREMENT:
            return self._decrement(maker, taker, book, events)
        if mode != EXPIRE_TAKER:
            self.close(maker, book, EXPIRED, SELF_TRADE, events)
        return mode != EXPIRE_MAKER

    def _leave_block(self, maker: Order, taker: Order, events: list[AnyEvent]) -> bool:
        """A copier's own order meets his block: his leg leaves it. False: nobody can leave."""
        coming = self.blocks.get(taker.order_id)
        leader_group = taker.account.trade_group
        if coming is None or maker.account.trade_group == leader_group:
            return False
        groups = [maker.account.trade_group]
        resting = self.blocks.get(maker.order_id)
        if resting is not None:
            if leader_group in resting.groups:
                return False
            groups += resting.groups
        found = coming.legs_of(groups)
        if len(found) > SHARED_LEGS_MAX:
            return False
        coming.leave(found, CANCELLED, SELF_TRADE, events)
        return True

    def _decrement(self, maker: Order, taker: Order, book: Book, events: list[AnyEvent]) -> bool:
        """Both lose what they would have traded. True when nothing is left of the taker."""
        lots = min(maker.remaining_lots, taker.remaining_lots)
        if maker.left_lots == lots:
            self.close(maker, book, EXPIRED, SELF_TRADE, events)
        else:
            self._decrease(maker, lots, events)
            if not maker.remaining_lots:
                side = book.side(maker.side)
                self._refill(maker, side.levels[maker.price_ticks * side.sign], events)
        if taker.remaining_lots == lots:
            return True
        self._decrease(taker, lots, events)
        return False

    def _decrease(self, order: Order, lots: int, events: list[AnyEvent]) -> None:
        shrink(order, lots, lots, SELF_TRADE, events, self.other_of(order))
        self.take_off_other(order, lots, events)

    def _fillable(self, taker: Order, book: Book, opposite: Side, limit_key: int) -> bool:
        """Whether the book would fill the whole order now, self-trade prevention included."""
        wanted = taker.remaining_lots
        cap_minor = self._cap_minor(taker)
        spent = 0
        for level in opposite.best_first():
            if level.price_ticks * opposite.sign < limit_key:
                return False
            lots = self._reachable_lots(taker, level, wanted)
            spent += lots * level.price_ticks * book.instrument.tick_lot_minor
            if lots == OWN_ORDER or (cap_minor != NO_CAP and spent > cap_minor):
                return False
            wanted -= lots
            if not wanted:
                return True
        return False

    def _reachable_lots(self, taker: Order, level: Level, wanted_lots: int) -> int:
        """How much of what is wanted a level has, or that what must not be met is in the way.

        What is hidden comes after all that is shown, so it may be in the way of that alone.
        """
        group = taker.account.trade_group
        shown = hidden = 0
        for maker in level.orders.values():
            if shown >= wanted_lots:
                break
            if self.blocks and share_copiers(self.blocks, maker, taker):
                return OWN_ORDER
            if maker.account.trade_group == group:
                if taker.terms.self_trade != EXPIRE_MAKER or maker.order_id in self.blocks:
                    return OWN_ORDER
                continue
            shown += maker.remaining_lots
            hidden += maker.hidden_lots
        return min(shown + hidden, wanted_lots)

    def _wake(self, book: Book, events: list[AnyEvent]) -> None:
        """Lets the orders act that the last price wakes, one at a time."""
        watch = Watch(book)
        order = watch.next_order()
        while order is not None:
            bound_trailing(order, book)
            disarm(order, book)
            taken_over = self.take_over(order, book, events)
            account_id, market_id = order.account.account_id, order.terms.market_id
            events.append(Triggered(order.order_id, account_id, market_id, *taken_over))
            own, opposite = book.side(order.side), book.opposite(order.side)
            self._execute(order, book, own, opposite, events)
            if self.filled:
                for stop in self.follow_fills(book, events):
                    watch.add(stop)
            order = watch.next_order()
