"""One market's memory: live orders, price levels with their queues, waiting stops, reference price.

It stores and finds; it decides nothing. References point one way only (book, side, level, order,
account, balance; an account knows its orders by number), so that a closed order is freed at once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from apps.engine.balances import Account, Balance
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    OPEN,
    PHASE_LIMIT,
    PHASE_OPEN,
    Instrument,
    Terms,
)
from apps.engine.rates import lower_band_ticks, upper_band_ticks
from apps.engine.trails import Trails

WINDOW_SECONDS: Final = 300
HOLES_MAX: Final = 32
# Orders that trade or end in one step of an auction, unless who calls it asks for less.
STEP_ORDERS: Final = 100


# Where a live order stands.
NOWHERE: Final = 0
RESTING: Final = 1
ARMED: Final = 2


class Order(msgspec.Struct, eq=False, gc=False):
    """A live order. ``price_ticks`` is the worst price it may trade at, also for market and stop.

    ``instrument`` is the market as it was at entry, which freezes the fee rates. ``hold_minor`` is
    what is still reserved of ``spends``, with ``hold_fee_ppm`` for fees. ``traded_minor`` is the
    notional it has traded in its present role and ``charged_minor`` the fees of that;
    ``aside_minor`` is the notional of its other role, which it may come back to by an amendment.
    Of an iceberg at rest ``remaining_lots`` is the part that the book shows; any other order has no
    ``hidden_lots``. One that was changed so that it arrived anew is younger than the order
    ``arrived_after``, the newest of then, and older than all that came after command
    ``arrived_seq``.
    """

    order_id: int
    account: Account
    client_order_id: str
    terms: Terms
    instrument: Instrument
    side: int
    price_ticks: int
    remaining_lots: int
    hold_minor: int
    hold_fee_ppm: int
    spends: Balance
    gains: Balance
    traded_minor: int = 0
    charged_minor: int = 0
    place: int = NOWHERE
    aside_minor: int = 0
    hidden_lots: int = 0
    arrived_after: int = 0
    arrived_seq: int = 0

    @property
    def age(self) -> tuple[int, int]:
        """Which of two orders is older: the one that is less."""
        return self.arrived_after or self.order_id, self.arrived_seq

    @property
    def left_lots(self) -> int:
        """What it may still fill, hidden or shown."""
        return self.remaining_lots + self.hidden_lots


class Level:
    """Orders at one price, first come first. A dict keeps their order and drops any at once."""

    __slots__ = ("holes", "orders", "price_ticks", "room")

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.holes = 0
        self.room = HOLES_MAX
        self.orders: dict[int, Order] = {}

    @property
    def lots(self) -> int:
        return sum(order.remaining_lots for order in self.orders.values())

    def close_holes(self) -> None:
        """A dict keeps a hole for what was deleted, and finding its first entry walks over them.

        A copy has none. It is made seldom enough to cost nothing on average, and whether it is due
        is asked only once in so many removals, which ``room`` counts down.
        """
        self.room = HOLES_MAX
        self.holes += HOLES_MAX
        if self.holes > 2 * len(self.orders):
            self.orders = dict(self.orders.items())
            self.holes = 0


class Side:
    """Price levels of one side. ``keys`` ascends to the best: prices for bids, negated for asks.

    Orders that wait for a price are kept in the same way; there "best" is the first to wake.
    """

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def add(self, order: Order, ticks: int) -> None:
        key = ticks * self.sign
        level = self.levels.get(key) or self.open_level(key, ticks)
        level.orders[order.order_id] = order

    def rest(self, order: Order) -> None:
        order.place = RESTING
        self.add(order, order.price_ticks)

    def open_level(self, key: int, ticks: int) -> Level:
        level = self.levels[key] = Level(ticks)
        keys = self.keys
        if not keys or key > keys[-1]:
            keys.append(key)
        else:
            insort(keys, key)
        return level

    def remove(self, order_id: int, ticks: int) -> None:
        key = ticks * self.sign
        level = self.levels[key]
        orders = level.orders
        if len(orders) == 1:
            del self.levels[key]
            keys = self.keys
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]
        else:
            del orders[order_id]
            level.room -= 1
            if not level.room:
                level.close_holes()

    def best_ticks(self) -> int:
        """Zero where the side is empty."""
        return self.keys[-1] * self.sign if self.keys else 0

    def between(self, lowest_key: int, highest_key: int) -> list[int]:
        """Ids of the orders at keys from the lowest (included) to the highest (excluded)."""
        keys = self.keys
        within = keys[bisect_left(keys, lowest_key) : bisect_left(keys, highest_key)]
        return [order_id for key in within for order_id in self.levels[key].orders]

    def best_first(self) -> Iterator[Level]:
        levels = self.levels
        for key in reversed(self.keys):
            yield levels[key]


class Reference:
    """The market's reference price: volume-weighted mean of the last 300 one-second buckets.

    Where the window holds no trade it is the last trade's price, or what staff or the market
    maker set since. Zero means that there is none yet.
    """

    __slots__ = ("anchor_ticks", "buckets", "lots", "value")

    def __init__(self) -> None:
        self.anchor_ticks = 0
        self.buckets: deque[tuple[int, int, int]] = deque()
        self.value = 0
        self.lots = 0

    def ticks(self, second: int) -> int:
        buckets = self.buckets
        while buckets and buckets[0][0] <= second - WINDOW_SECONDS:
            _, value, lots = buckets.popleft()
            self.value -= value
            self.lots -= lots
        return self.value // self.lots if self.lots else self.anchor_ticks

    def add(self, second: int, value: int, lots: int, last_ticks: int) -> None:
        """Trades of one command: ``value`` is the sum of price times lots."""
        buckets = self.buckets
        if buckets and buckets[-1][0] == second:
            _, value_before, lots_before = buckets.pop()
            buckets.append((second, value_before + value, lots_before + lots))
        else:
            buckets.append((second, value, lots))
        self.value += value
        self.lots += lots
        self.anchor_ticks = last_ticks

    def restart(self, price_ticks: int) -> None:
        self.buckets.clear()
        self.value = self.lots = 0
        self.anchor_ticks = price_ticks


class Book:
    """One market: its terms, both sides, waiting orders, last trade, reference price and band.

    ``armed`` are the orders that wait for a price, by id. ``rising`` finds those that wait for the
    last price to rise to theirs, ``falling`` those that wait for it to fall; trailing stops that
    are active already are in ``trailing_buys`` and ``trailing_sells``.

    ``phase`` ends at ``phase_until_ns``, set by command ``phase_seq``; ``limit_side`` is the side
    of the orders that brought on the limit state. ``hit_side`` and ``traded_inside`` say of the
    command at hand that an order came to the band, and that something traded in the limit state.
    While orders are collected ``indicated`` (price, lots, surplus) is what was told last of the
    auction to come; it is looked at again at ``indicate_at_ns``, set by command ``indicate_seq``.
    ``uncross_ticks`` is the price at which the auction is trading, or -1 before there is one; it
    goes on in steps of ``step_orders``, and has traded ``uncrossed_lots``.

    ``reference_ticks`` and the band around it are fixed per command: ``fix_band`` is called before
    they are used, ``loosen_band`` when what they rest on has changed. ``purses`` are the balances
    of base and quote of each account that has been here. ``plain_lots_max`` is the largest quantity
    of an order to which nothing can object: zero while venue or market take no orders, or where
    positions are limited. ``notional_min_minor`` is at least one. ``by_assets`` are the markets of
    the venue by base and quote.
    """

    __slots__ = (
        "armed",
        "asks",
        "band_second",
        "bids",
        "by_assets",
        "falling",
        "fee_ppm_max",
        "hit_side",
        "indicate_at_ns",
        "indicate_seq",
        "indicated",
        "instrument",
        "last_ticks",
        "limit_side",
        "lots_max",
        "lower_ticks",
        "notional_max_minor",
        "notional_min_minor",
        "phase",
        "phase_seq",
        "phase_until_ns",
        "plain_lots_max",
        "purses",
        "reference",
        "reference_ticks",
        "rising",
        "step_orders",
        "traded_inside",
        "trailing_buys",
        "trailing_sells",
        "uncross_ticks",
        "uncrossed_lots",
        "upper_ticks",
    )

    def __init__(self, instrument: Instrument, venue_state: int) -> None:
        self.reference_ticks: int = 0
        self.phase = PHASE_OPEN
        self.phase_until_ns = 0
        self.phase_seq = 0
        self.limit_side = 0
        self.uncross_ticks = 0
        self.uncrossed_lots = 0
        self.step_orders = STEP_ORDERS
        self.indicate_at_ns = 0
        self.indicate_seq = 0
        self.indicated = (0, 0, 0)
        self.hit_side = 0
        self.traded_inside = False
        self.set_instrument(instrument, venue_state)
        self.purses: dict[int, tuple[Balance, Balance]] = {}
        self.by_assets: dict[tuple[int, int], Book] = {}
        self.bids = Side(1)
        self.asks = Side(-1)
        self.armed: dict[int, Order] = {}
        # A rise wakes the lowest first, a fall the highest.
        self.rising = Side(-1)
        self.falling = Side(1)
        self.trailing_buys = Trails(-1)
        self.trailing_sells = Trails(1)
        self.last_ticks = 0
        self.reference = Reference()
        self.lower_ticks = 0
        self.upper_ticks = AMOUNT_MAX

    def open_purse(self, account: Account) -> tuple[Balance, Balance]:
        instrument = self.instrument
        purse = self.purses[account.account_id] = (
            account.balance(instrument.base_asset_id),
            account.balance(instrument.quote_asset_id),
        )
        return purse

    def worth_minor(self, quote_minor: int, asset_id: int) -> int:
        """What so much of the quote is worth in an asset at their last price, rounded up.

        More than there can be of anything where they have none.
        """
        quote_id = self.instrument.quote_asset_id
        if quote_id == asset_id:
            return quote_minor
        bought = self.by_assets.get((quote_id, asset_id))
        if bought is not None and bought.reference.anchor_ticks:
            lot_value = bought.reference.anchor_ticks * bought.instrument.tick_lot_minor
            return -(-quote_minor * lot_value // bought.instrument.lot_minor)
        paid = self.by_assets.get((asset_id, quote_id))
        if paid is not None and paid.reference.anchor_ticks:
            lot_value = paid.reference.anchor_ticks * paid.instrument.tick_lot_minor
            return -(-quote_minor * paid.instrument.lot_minor // lot_value)
        return AMOUNT_MAX + 1

    def fix_band(self, second: int) -> None:
        self.band_second = second
        reference = self.reference.ticks(second)
        if reference != self.reference_ticks:
            self.reference_ticks = reference
            self.lower_ticks = lower_band_ticks(reference, self.instrument.band_bps)
            self.upper_ticks = upper_band_ticks(reference, self.instrument.band_bps)

    def loosen_band(self) -> None:
        self.band_second = -1

    def set_instrument(self, instrument: Instrument, venue_state: int) -> None:
        """Fees, limits, band or state may change; zero for a maximum means the largest amount."""
        self.instrument = instrument
        self.lots_max = AMOUNT_MAX // instrument.lot_minor
        if instrument.max_quantity_lots:
            self.lots_max = min(self.lots_max, instrument.max_quantity_lots)
        self.notional_max_minor = instrument.max_notional_minor or AMOUNT_MAX
        self.notional_min_minor = max(1, instrument.min_notional_minor)
        self.fee_ppm_max = max(instrument.maker_fee_ppm, instrument.taker_fee_ppm)
        # The band may have another width, so it is drawn anew around the reference there is.
        self.reference_ticks = 0
        self.band_second = -1
        self.set_venue(venue_state)

    def set_venue(self, venue_state: int) -> None:
        instrument = self.instrument
        takes_any = venue_state == instrument.state == OPEN and not instrument.max_position_lots
        if self.phase > PHASE_LIMIT:
            takes_any = False
        self.plain_lots_max = self.lots_max if takes_any else 0

    def enter_phase(self, phase: int, until_ns: int, seq: int, venue_state: int) -> None:
        self.phase = phase
        if phase != PHASE_LIMIT:
            self.limit_side = 0
        self.phase_until_ns = until_ns
        self.phase_seq = seq
        self.uncross_ticks = 0
        self.uncrossed_lots = 0
        if phase <= PHASE_LIMIT:
            self.step_orders = STEP_ORDERS
            self.indicate_at_ns = 0
            self.indicated = (0, 0, 0)
        self.set_venue(venue_state)

    def side(self, side: int) -> Side:
        return self.bids if side == BUY else self.asks

    def opposite(self, side: int) -> Side:
        return self.asks if side == BUY else self.bids
