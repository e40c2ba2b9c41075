"""Checks that hold after every command, whatever the command was.

The auditor knows events and the contract's ``postings`` only. From them it keeps its own ledger and
its own list of orders, and compares both with what the engine says of itself. Letters and numbers
name the invariant: L ledger, B book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from apps.engine.engine import Engine
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    EXPIRED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    FILLED,
    FOK,
    GTC,
    GTD,
    LIMIT,
    MARKET,
    Accepted,
    AccountOpened,
    AccountSet,
    Allotted,
    Amended,
    AnyEvent,
    BlockOpened,
    CancelAfterSet,
    Closed,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    InstrumentListed,
    InstrumentSet,
    LegsAdded,
    PhaseChanged,
    Prevented,
    Rested,
    Terms,
    Trade,
    Triggered,
    Uncrossed,
    escrow_account_id,
)
from apps.engine.postings import postings
from tests.simulation.audit_blocks import BlockAuditor, require
from tests.simulation.audit_pairs import PairAuditor


@dataclass(eq=False)
class Seen:
    """An order as its events tell it."""

    order_id: int
    account_id: int
    terms: Terms
    entered_seq: int
    hold: int
    filled: int = 0
    fees: dict[str, int] = field(default_factory=lambda: {"maker": 0, "taker": 0})
    notional: dict[str, int] = field(default_factory=lambda: {"maker": 0, "taker": 0})
    maker_ppm: int = 0
    taker_ppm: int = 0
    price: int = 0
    rank: int = 0
    shown: int = 0
    waiting: bool = False
    triggered: int = 0

    @property
    def left(self) -> int:
        return self.terms.quantity_lots - self.filled if self.terms.quantity_lots else 0


def same_prices(one: Terms, other: Terms) -> bool:
    return (one.price_ticks, one.stop_ticks) == (other.price_ticks, other.stop_ticks)


class Auditor:
    def __init__(self) -> None:
        self.available: dict[tuple[int, int], int] = {}
        self.held: dict[tuple[int, int], int] = {}
        self.orders: dict[int, Seen] = {}
        self.ended: set[int] = set()
        self.holds: dict[int, tuple[int, int, int]] = {}
        self.phases: dict[int, int] = {}
        self.auction: Uncrossed | None = None
        self.auction_trades = 0
        self.auction_left: dict[tuple[int, int], int] = {}
        self.switches: dict[int, int] = {}
        self.resolved: set[int] = set()
        self.instruments: dict[int, Instrument] = {}
        self.groups: dict[int, int] = {}
        self.fees: dict[int, int] = {}
        self.ranks = 0
        self.seq = 0
        self.now_ns = 0
        self.trades = 0
        self.last_order_id = 0
        self.blocks = BlockAuditor(self.instruments)
        self.pairs = PairAuditor(require)
        self.handed_over: dict[int, int] = {}

    def follow(self, engine: Engine, events: list[AnyEvent]) -> None:
        """Takes in the events of one command and compares."""
        self.seq += 1
        require(engine.seq == self.seq, "B9 sequence", engine.seq, self.seq)
        require(engine.now_ns >= self.now_ns, "R4 time", engine.now_ns, self.now_ns)
        self.now_ns = engine.now_ns
        for event in events:
            self._post(event)
            self._note(event)
            self.blocks.note(event)
            self.pairs.note(event)
        require(not self.handed_over, "P3 a hold is taken over", self.handed_over)
        for account_id, due_ns in list(self.switches.items()):
            if due_ns and due_ns <= self.now_ns:
                older = [o for o in self.orders.values() if o.account_id == account_id]
                older = [o for o in older if o.entered_seq < self.seq]
                require(not older, "B11 nothing outlives the dead man's switch", older)
                del self.switches[account_id]
        self._look_at_orders(engine)

    def _look_at_orders(self, engine: Engine) -> None:
        """All of what is open, whether or not the command had to do with it."""
        self.pairs.check(self.orders)
        for order in self.orders.values():
            if order.terms.time_in_force == GTD:
                require(order.terms.expires_at_ns > self.now_ns, "B8 good till date", order)
        self._compare_orders(engine)

    # ------------------------------------------------------------ ledger

    def _post(self, event: AnyEvent) -> None:
        sums: dict[int, int] = {}
        touched: list[tuple[int, int]] = []
        for account_id, asset_id, available_minor, held_minor in postings(event, self.instruments):
            key = (account_id, asset_id)
            self.available[key] = self.available.get(key, 0) + available_minor
            self.held[key] = self.held.get(key, 0) + held_minor
            sums[asset_id] = sums.get(asset_id, 0) + available_minor + held_minor
            touched.append(key)
        # Legs of one transfer count together, so it is the event that must leave no debt.
        for key in touched:
            available, held = self.available[key], self.held[key]
            if key[0] != EXTERNAL_ACCOUNT_ID:
                require(available >= 0 and held >= 0, "L3 never negative", key, available, held)
            require(abs(available) <= AMOUNT_MAX, "L3 range", key, available)
        require(not any(sums.values()), "L1 postings sum to zero", event, sums)

    def full_check(self, engine: Engine) -> None:
        """What takes a look at everything: L2, L5, L9, and the engine's balances."""
        sums: dict[int, int] = {}
        for key, available in self.available.items():
            sums[key[1]] = sums.get(key[1], 0) + available + self.held[key]
        require(not any(sums.values()), "L2 each asset sums to zero", sums)
        expected = {
            key: (available, self.held[key])
            for key, available in self.available.items()
            if available or self.held[key]
        }
        actual = {(row[0], row[1]): (row[2], row[3]) for row in engine.balances()}
        require(actual == expected, "L4 balances are the sum of postings")
        self.blocks.check_empty(expected)
        held: dict[tuple[int, int], int] = {}
        for order in self.orders.values():
            key = (order.account_id, self._spends(order))
            held[key] = held.get(key, 0) + order.hold
        for account_id, asset_id, amount in self.holds.values():
            held[account_id, asset_id] = held.get((account_id, asset_id), 0) + amount
        for key, amount in self.held.items():
            require(amount == held.get(key, 0), "L5 held is what orders hold", key, amount)
        for asset_id, fees in self.fees.items():
            require(
                self.available[FEE_ACCOUNT_ID, asset_id] >= 0 and fees >= 0, "L9 fees", asset_id
            )
        found = {row[0]: row[1:] for row in engine.holds()}
        require(found == self.holds, "L6 open holds", found, self.holds)

    def _spends(self, order: Seen) -> int:
        instrument = self.instruments[order.terms.market_id]
        buys = order.terms.side == BUY
        return instrument.quote_asset_id if buys else instrument.base_asset_id

    # ------------------------------------------------------------ events

    def _note(self, event: AnyEvent) -> None:
        match event:
            case Trade():
                self._trade(event)
            case Accepted():
                self._accepted(event)
            case Rested():
                self._rested(event)
            case Closed():
                self._closed(event)
            case Amended():
                self._amended(event)
            case PhaseChanged():
                self.phases[event.market_id] = event.phase
            case Uncrossed():
                self._uncrossed(event)
            case Triggered():
                self._triggered(event)
            case Prevented():
                maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
                same = self.groups[maker.account_id] == self.groups[taker.account_id]
                in_block = min(maker.account_id, taker.account_id) < 0
                require(same or in_block, "B6 prevented only in a group", event)
            case _:
                self._note_accounts(event)

    def _triggered(self, event: Triggered) -> None:
        order = self.orders[event.order_id]
        require(order.waiting and not order.triggered, "B8 a stop fires once", event)
        order.waiting, order.triggered = False, 1
        if event.pair_order_id:
            handed_over = self.handed_over.pop(event.pair_order_id)
            require(handed_over == event.hold_minor, "P3 the whole hold", event)
            order.hold = handed_over

    def _note_accounts(self, event: AnyEvent) -> None:
        match event:
            case InstrumentListed() | InstrumentSet():
                self.instruments[event.instrument.market_id] = event.instrument
            case CancelAfterSet():
                self.switches[event.account_id] = event.due_ns
            case AccountOpened() | AccountSet():
                self.groups[event.account_id] = event.trade_group
            case BlockOpened():
                group = self.groups[event.account_id]
                self.groups[escrow_account_id(event.block_id)] = group
            case LegsAdded():
                for leg in event.legs:
                    self._next_order_id(leg.order_id)
            case Allotted():
                self.trades += len(event.fills)
                self._allotted_fees(event)
            case HoldPlaced():
                require(event.hold_id not in self.holds, "L6 a hold is placed once", event)
                placed = (event.account_id, event.asset_id, event.amount_minor)
                self.holds[event.hold_id] = placed
            case HoldSettled() | HoldReleased():
                ended = (event.account_id, event.asset_id, event.amount_minor)
                placed = self.holds.pop(event.hold_id)
                require(placed == ended, "L6 a hold ends as it began", event)
            case _:
                pass

    def _next_order_id(self, order_id: int) -> None:
        require(order_id == self.last_order_id + 1, "order ids count up", order_id)
        self.last_order_id = order_id

    def _allotted_fees(self, event: Allotted) -> None:
        first = event.first_trade_id + len(event.fills) - 1
        require(first == self.trades, "trade ids count up", event)
        asset_id = self.instruments[event.market_id].quote_asset_id
        fees = sum(fill.fee_minor for fill in event.fills)
        self.fees[asset_id] = self.fees.get(asset_id, 0) + fees

    def _accepted(self, event: Accepted) -> None:
        self._next_order_id(event.order_id)
        order = self.orders[event.order_id] = Seen(
            event.order_id, event.account_id, event.terms, self.seq, event.hold_minor
        )
        order.maker_ppm, order.taker_ppm = event.maker_fee_ppm, event.taker_fee_ppm
        order.waiting = event.terms.order_type not in (LIMIT, MARKET)
        instrument = self.instruments[event.terms.market_id]
        require(event.terms.quantity_lots * instrument.lot_minor <= AMOUNT_MAX, "B7 range", event)

    def _amended(self, event: Amended) -> None:
        order = self.orders[event.order_id]
        before, terms = order.terms, event.terms
        same = replace(
            before,
            quantity_lots=terms.quantity_lots,
            price_ticks=terms.price_ticks,
            stop_ticks=terms.stop_ticks,
        )
        require(terms == same, "B4 only quantity and prices are amended", event, before)
        # A block may want nothing more, where legs have left; then it ends.
        least = order.filled if event.account_id < 0 else order.filled + 1
        require(terms.quantity_lots >= least, "B4 never below what is filled", event)
        order.hold += event.hold_change_minor
        require(order.hold == event.hold_minor, "L6 the hold after an amendment", event)
        in_place = same_prices(before, terms) and terms.quantity_lots <= before.quantity_lots
        left_book = order.shown if order.rank else 0
        hidden, less = order.left - order.shown, before.quantity_lots - terms.quantity_lots
        order.terms = terms
        require(event.remaining_lots == order.left, "B4 what is left after an amendment", event)
        if in_place and order.rank:
            # What is hidden goes first, but two orders that meet lose what they would have traded.
            left_book = max(0, less - hidden) if event.reason == "user" else less
        order.shown -= left_book
        require(order.shown >= 0, "B4 no more than was shown", event)
        require(event.book_lots == left_book, "B5 lots that leave the book", event)
        require(event.book_price_ticks == order.price, "B5 where they leave it", event)
        if not in_place:
            order.rank, order.price = 0, 0

    def _rested(self, event: Rested) -> None:
        order = self.orders[event.order_id]
        terms = order.terms
        stays = terms.time_in_force in (GTC, GTD) and terms.price_ticks > 0
        require(stays, "B8 IOC, FOK and market orders never rest", event)
        require(order.shown == 0, "B4 a part is shown when the one before is gone", event)
        order.shown = min((terms.special and terms.special.display_lots) or order.left, order.left)
        require(event.quantity_lots == order.shown > 0, "B4 what rests is what is left", event)
        require(event.price_ticks == terms.price_ticks, "B3 rests at its limit", event)
        self.ranks += 1
        order.rank, order.price = self.ranks, event.price_ticks

    def _closed(self, event: Closed) -> None:
        order = self.orders.pop(event.order_id)
        self.ended.add(event.order_id)
        if event.reason == "pair" and order.hold and not event.released_minor:
            self.handed_over[event.order_id], order.hold = order.hold, 0
        require(event.released_minor == order.hold, "L6 a hold is released whole", event)
        resting = order.shown if order.rank else 0
        require(event.book_lots == resting, "B5 lots that leave the book", event)
        if order.terms.time_in_force == FOK and not order.rank:
            require(order.filled == 0, "B8 fill or kill is all or none", event)
        if event.reason == "gtd":
            due = order.terms.expires_at_ns <= self.now_ns
            require(due and event.status == EXPIRED, "B8 expires by journaled time", event)
        require((event.status == FILLED) <= (order.filled > 0), "B4 filled means filled", event)

    def _trade(self, event: Trade) -> None:
        self.trades += 1
        require(event.trade_id == self.trades, "trade ids count up", event)
        maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
        instrument = self.instruments[event.market_id]
        in_auction = self.auction_trades > 0
        if in_auction:
            self._auction_trade(maker, taker, event)
        else:
            self._taking(maker, taker, event)
        groups = self.groups[maker.account_id], self.groups[taker.account_id]
        require(groups[0] != groups[1], "B6 no trade within a group", event)
        require(maker.terms.side != taker.terms.side, "B6 two sides", event)
        notional = event.price_ticks * event.quantity_lots * instrument.tick_lot_minor
        require(event.quote_minor == notional, "B6 quote leg", event)
        require(event.base_minor == event.quantity_lots * instrument.lot_minor, "B6 base leg")
        self._side(maker, "maker", event.maker_fee_minor, event.maker_hold_used_minor, event)
        role = "maker" if in_auction else "taker"
        self._side(taker, role, event.taker_fee_minor, event.taker_hold_used_minor, event)
        # An auction trades what is hidden, too, after what is shown.
        for order in (maker, taker) if in_auction else (maker,):
            shown = order.shown - event.quantity_lots
            require(shown >= 0 or in_auction, "B4 only what is shown trades", event)
            order.shown = max(0, shown)
        require(event.maker_remaining_lots == maker.left, "B4 maker's remainder", event)
        require(event.taker_remaining_lots == taker.left, "B4 taker's remainder", event)
        fees = event.maker_fee_minor + event.taker_fee_minor
        asset_id = instrument.quote_asset_id
        self.fees[asset_id] = self.fees.get(asset_id, 0) + fees
        for order in (maker, taker):
            if order.terms.quantity_lots and not order.left:
                require(order.hold == 0, "L6 nothing stays held of a filled order", event)
                del self.orders[order.order_id]
                self.ended.add(order.order_id)

    def _taking(self, maker: Seen, taker: Seen, event: Trade) -> None:
        require(self.phases.get(event.market_id, 0) <= 1, "B11 nothing matches in a call", event)
        require(maker.rank and not taker.rank, "B2 the maker rests, the taker does not", event)
        require(not taker.terms.post_only, "B8 post-only never takes", event)
        require(not taker.waiting, "B8 a waiting stop never trades", event)
        require(event.price_ticks == maker.price, "B3 at the maker's limit", event)
        limit = taker.terms.price_ticks
        if limit:
            buys = taker.terms.side == BUY
            fair = event.price_ticks <= limit if buys else event.price_ticks >= limit
            require(fair, "B3 within the taker's limit", event)
        self._priority(maker, taker, event)

    def _uncrossed(self, event: Uncrossed) -> None:
        require(self.phases.get(event.market_id, 0) > 1, "R7.2 only what is collected", event)
        self.auction, self.auction_trades = event, event.trade_count
        self.auction_left = {(side, price): lots for side, price, lots in event.left}

    def _auction_trade(self, maker: Seen, taker: Seen, event: Trade) -> None:
        """R7.2: one price that both accept, by the priority of both sides."""
        assert self.auction is not None
        require(maker.rank and taker.rank, "R7.2 both rest", event)
        require(event.price_ticks == self.auction.price_ticks, "R7.2 one price", event)
        for order in (maker, taker):
            buys = order.terms.side == BUY
            fair = event.price_ticks <= order.price if buys else event.price_ticks >= order.price
            require(fair, "B3 within the limit", event)
            self._priority(order, order, event)
            seen = min(order.shown, event.quantity_lots)
            self.auction_left[order.terms.side, order.price] -= seen
        self.auction_trades -= 1
        if not self.auction_trades:
            require(not any(self.auction_left.values()), "B5 what an auction takes", event)

    def _priority(self, maker: Seen, taker: Seen, event: Trade) -> None:
        """B2: no better or older order of the maker's side was passed over."""
        sign = 1 if maker.terms.side == BUY else -1
        mine = (sign * maker.price, -maker.rank)
        for other in self.orders.values():
            if not other.rank or other is maker or other.terms.side != maker.terms.side:
                continue
            if other.terms.market_id == maker.terms.market_id:
                theirs = (sign * other.price, -other.rank)
                require(theirs < mine, "B2 price, then time", event, other)

    def _side(self, order: Seen, role: str, fee: int, used: int, event: Trade) -> None:
        """R6.1: in each role an order pays the rounded-up charge on all it traded, no more."""
        order.filled += event.quantity_lots
        order.notional[role] += event.quote_minor
        order.fees[role] += fee
        order.hold -= used
        ppm = order.maker_ppm if role == "maker" else order.taker_ppm
        due = -(-order.notional[role] * ppm // 1_000_000)
        require(order.fees[role] == due, "R6.1 fees add up", event, role)
        require(order.hold >= 0 and fee >= 0, "L3 a hold is never negative", event, role)
        if order.terms.quantity_lots:
            require(order.filled <= order.terms.quantity_lots, "B4 never overfilled", event)

    # ------------------------------------------------------------ the engine's own view

    def _compare_orders(self, engine: Engine) -> None:
        levels: dict[tuple[int, int], dict[int, int]] = {}
        count = 0
        for row in engine.open_orders():
            order_id, account_id, market_id, side, price, left, hold, resting = row
            count += 1
            order = self.orders.get(order_id)
            require(order is not None, "B4 an ended order never revives", row)
            assert order is not None
            mine = (order.account_id, order.left, order.hold, bool(order.rank))
            require((account_id, left, hold, resting) == mine, "B4 open orders", row, order)
            waits = order.waiting and not resting
            require(resting or waits, "B8 only stops wait outside the book", row)
            if resting:
                level = levels.setdefault((market_id, side), {})
                level[price] = level.get(price, 0) + order.shown
        require(count == len(self.orders), "B4 no open order is missing", count)
        for market_id in self.instruments:
            bids, asks = engine.depth(market_id)
            expected_bids = levels.get((market_id, BUY), {})
            expected_asks = levels.get((market_id, 3 - BUY), {})
            require(bids == sorted(expected_bids.items(), reverse=True), "B5 bids", market_id)
            require(asks == sorted(expected_asks.items()), "B5 asks", market_id)
            if bids and asks and self.phases.get(market_id, 0) <= 1:
                require(bids[0][0] < asks[0][0], "B1 the book is never crossed", market_id)
