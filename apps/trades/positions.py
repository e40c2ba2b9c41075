"""Positions as pure arithmetic: what movements of value make of quantity, cost, profit and fees.

One fold for all accounts, fed in the order of the journal; the projection feeds it from events, the
drift check from ledger entries and the tape. Whole minor units only, and it knows no database.

What is exact, and where it is rounded: cost that leaves with a part of a position is cut off, so
what remains carries the odd unit, and nothing is left when the position is flat. What something is
worth in the value asset is cut off too. Every other figure is a sum, so that always, to the unit:
cash + cost = paid in + realised - fees.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from apps.trades.folding import FIRST_PERSONAL_ACCOUNT_ID

# Everything is valued in this asset (USDT); holding it is holding cash, which is no position.
VALUE_ASSET_ID: Final = 1
# More than anybody's money; a deposit priced beyond it counts as this much, and still fits a row.
VALUE_MAX_MINOR: Final = 2**61
# What figures that are summed up in the database count as at most, so that sums fit as well.
FIGURE_MAX_MINOR: Final = 2**60
MOVEMENT_BITS: Final = 20

TRADE: Final = 1
TRANSFER: Final = 2
VALUED: Final = 3

Key = tuple[int, int]
_key_of: Final = itemgetter(0)


class Market(NamedTuple):
    """What of a market says which assets it trades and what they are worth."""

    base_asset_id: int
    quote_asset_id: int
    lot_minor: int
    tick_lot_minor: int


class Position:
    """What an account has of one asset. ``realised_minor`` is before fees, and over its whole life.

    Average cost is ``cost_minor / quantity_minor``: it begins anew when the position is flat.
    """

    __slots__ = ("cost_minor", "fees_minor", "quantity_minor", "realised_minor")

    def __init__(
        self,
        quantity_minor: int = 0,
        cost_minor: int = 0,
        realised_minor: int = 0,
        fees_minor: int = 0,
    ) -> None:
        self.quantity_minor = quantity_minor
        self.cost_minor = cost_minor
        self.realised_minor = realised_minor
        self.fees_minor = fees_minor

    def add(self, quantity_minor: int, value_minor: int) -> None:
        self.quantity_minor += quantity_minor
        self.cost_minor = min(self.cost_minor + value_minor, VALUE_MAX_MINOR)

    def take(self, quantity_minor: int) -> int:
        """Take a quantity out and return what it had cost."""
        cost_minor = self.cost_minor
        if quantity_minor < self.quantity_minor:
            cost_minor = cost_minor * quantity_minor // self.quantity_minor
        self.quantity_minor -= quantity_minor
        self.cost_minor -= cost_minor
        return cost_minor

    def figures(self) -> tuple[int, int, int, int]:
        """Return quantity, cost, realised profit and fees."""
        return self.quantity_minor, self.cost_minor, self.realised_minor, self.fees_minor


class Moved(msgspec.Struct, gc=False):
    """One movement and the position after it. ``id`` grows in the order of the journal.

    All that one command buys, or sells, without a break is one movement: an order that meets ten
    others is one purchase.

    ``value_minor`` is what the change was worth: what was paid or received for it in a trade, its
    market's last price for what came in, its cost for what left. ``price_ticks`` is the price that
    said so, zero where none was needed or there was none.
    """

    id: int
    at_ns: int
    account_id: int
    asset_id: int
    kind: int
    change_minor: int
    value_minor: int
    price_ticks: int
    quantity_minor: int
    cost_minor: int
    realised_minor: int
    fees_minor: int


class Positions:
    """The positions of all people. ``moved`` collects what was folded, until it is taken.

    The house's own accounts are passed over: nobody reads theirs.
    """

    def __init__(self) -> None:
        self.markets: dict[int, Market] = {}
        self.held: defaultdict[Key, Position] = defaultdict(Position)
        self.moved: list[Moved] = []
        # Per asset its last price in the value asset, and the market that made it.
        self.prices: dict[int, tuple[int, Market]] = {}
        self._next_id = 0
        self._at_ns = 0
        # The last trade movement of each position in this command, which may yet grow.
        self._growing: dict[Key, Moved] = {}

    def begin(self, seq: int, at_ns: int) -> None:
        """Say which command what follows belongs to."""
        self._next_id = seq << MOVEMENT_BITS
        self._at_ns = at_ns
        self._growing.clear()

    def worth(self, asset_id: int, amount_minor: int) -> int | None:
        """Return what an amount is worth at the last price; None where there never was one."""
        if asset_id == VALUE_ASSET_ID:
            return amount_minor
        found = self.prices.get(asset_id)
        if found is None:
            return None
        price_ticks, market = found
        value_minor = amount_minor * price_ticks * market.tick_lot_minor // market.lot_minor
        return min(value_minor, VALUE_MAX_MINOR)

    def transfer(self, account_id: int, asset_id: int, amount_minor: int) -> None:
        """Something came in, at the market's last price, or left, at its cost."""
        if account_id < FIRST_PERSONAL_ACCOUNT_ID or asset_id == VALUE_ASSET_ID:
            return
        if not amount_minor:
            return
        key = account_id, asset_id
        position = self.held[key]
        if amount_minor > 0:
            value_minor = self.worth(asset_id, amount_minor) or 0
            position.add(amount_minor, value_minor)
            price_ticks = self.prices[asset_id][0] if asset_id in self.prices else 0
        else:
            value_minor, price_ticks = position.take(-amount_minor), 0
        self._note(key, TRANSFER, amount_minor, value_minor, price_ticks, position)

    def trade(
        self,
        market_id: int,
        price_ticks: int,
        base_minor: int,
        quote_minor: int,
        buyer: tuple[int, int],
        seller: tuple[int, int],
    ) -> None:
        """Fold a trade; buyer and seller are each (account, fee in quote)."""
        market = self.markets[market_id]
        base, quote = market.base_asset_id, market.quote_asset_id
        if quote == VALUE_ASSET_ID:
            first = base not in self.prices
            self.prices[base] = (price_ticks, market)
            if first:
                self._value(base, price_ticks)
            if buyer[0] >= FIRST_PERSONAL_ACCOUNT_ID:
                self._buy(buyer[0], base, base_minor, quote_minor, buyer[1], price_ticks)
            if seller[0] >= FIRST_PERSONAL_ACCOUNT_ID:
                self._sell(seller[0], base, base_minor, quote_minor, seller[1], price_ticks)
            return
        if quote not in self.prices:
            # Nobody can say what was paid: it is two transfers, and no profit is made.
            self.transfer(buyer[0], quote, -quote_minor - buyer[1])
            self.transfer(buyer[0], base, base_minor)
            self.transfer(seller[0], base, -base_minor)
            self.transfer(seller[0], quote, quote_minor - seller[1])
            return
        self._cross(market, base_minor, quote_minor, buyer, seller)

    def allot(
        self, market_id: int, account_id: int, is_buy: bool, base: int, quote: int, fee: int
    ) -> None:
        """Fold a leg's part of what its block has traded: no trade of the market's, nor its price.

        What its block reserves for it is in escrow, and still its own until then.
        """
        if account_id < FIRST_PERSONAL_ACCOUNT_ID:
            return
        market = self.markets[market_id]
        party, nobody = (account_id, fee), (0, 0)
        if market.quote_asset_id == VALUE_ASSET_ID:
            price_ticks = quote // (base // market.lot_minor * market.tick_lot_minor)
            book = self._buy if is_buy else self._sell
            book(account_id, market.base_asset_id, base, quote, fee, price_ticks)
        elif market.quote_asset_id in self.prices:
            buyer, seller = (party, nobody) if is_buy else (nobody, party)
            self._cross(market, base, quote, buyer, seller)
        elif is_buy:
            self.transfer(account_id, market.quote_asset_id, -quote - fee)
            self.transfer(account_id, market.base_asset_id, base)
        else:
            self.transfer(account_id, market.base_asset_id, -base)
            self.transfer(account_id, market.quote_asset_id, quote - fee)

    def _cross(
        self,
        market: Market,
        base_minor: int,
        quote_minor: int,
        buyer: tuple[int, int],
        seller: tuple[int, int],
    ) -> None:
        """Fold a trade against another asset: each side sells one and buys the other at its worth.

        What a fee is worth is paid in the quote asset, and belongs to the asset that was traded.
        """
        base, quote = market.base_asset_id, market.quote_asset_id
        price_ticks = self.prices[quote][0]
        value = self.worth(quote, quote_minor) or 0
        account_id, fee_minor = buyer
        if account_id >= FIRST_PERSONAL_ACCOUNT_ID:
            fee = self.worth(quote, fee_minor) or 0
            self._sell(account_id, quote, quote_minor + fee_minor, value + fee, 0, price_ticks)
            self._buy(account_id, base, base_minor, value, fee, price_ticks)
        account_id, fee_minor = seller
        if account_id >= FIRST_PERSONAL_ACCOUNT_ID:
            fee = self.worth(quote, fee_minor) or 0
            self._sell(account_id, base, base_minor, value, fee, price_ticks)
            if quote_minor > fee_minor:
                left = quote_minor - fee_minor
                self._buy(account_id, quote, left, value - fee, 0, price_ticks)

    def _buy(
        self, account_id: int, asset_id: int, quantity: int, value: int, fee: int, price_ticks: int
    ) -> None:
        key = account_id, asset_id
        position = self.held[key]
        position.quantity_minor += quantity
        position.cost_minor += value
        position.fees_minor += fee
        self._traded(key, quantity, value, price_ticks, position)

    def _sell(
        self, account_id: int, asset_id: int, quantity: int, value: int, fee: int, price_ticks: int
    ) -> None:
        key = account_id, asset_id
        position = self.held[key]
        position.realised_minor += value - position.take(quantity)
        position.fees_minor += fee
        self._traded(key, -quantity, value, price_ticks, position)

    def _traded(
        self, key: Key, change: int, value: int, price_ticks: int, position: Position
    ) -> None:
        """Note a trade, or let the movement before it grow: this runs for every trade there is."""
        moved = self._growing.get(key)
        if moved is None or (moved.change_minor > 0) != (change > 0):
            self._note(key, TRADE, change, value, price_ticks, position)
            self._growing[key] = self.moved[-1]
            return
        moved.change_minor += change
        moved.value_minor += value
        moved.price_ticks = price_ticks
        moved.quantity_minor = position.quantity_minor
        moved.cost_minor = position.cost_minor
        moved.realised_minor = position.realised_minor
        moved.fees_minor = position.fees_minor

    def _value(self, asset_id: int, price_ticks: int) -> None:
        """The asset has its first price: what came in before has that as its cost."""
        # In the order of accounts, so that it is the same wherever the fold was taken up.
        for key, position in sorted(self.held.items(), key=_key_of):
            if key[1] == asset_id and position.quantity_minor:
                value_minor = self.worth(asset_id, position.quantity_minor) or 0
                position.cost_minor = value_minor
                self._note(key, VALUED, 0, value_minor, price_ticks, position)

    def _note(
        self,
        key: Key,
        kind: int,
        change: int,
        value: int,
        price_ticks: int,
        position: Position,
    ) -> None:
        account_id, asset_id = key
        self.moved.append(
            Moved(
                self._next_id, self._at_ns, account_id, asset_id, kind, change, value, price_ticks,
                position.quantity_minor, position.cost_minor, position.realised_minor,
                position.fees_minor,
            )
        )  # fmt: skip
        self._next_id += 1


@dataclass(slots=True)
class Lot:
    """What is left of one purchase, and of what it cost."""

    id: int
    at_ns: int
    bought_minor: int
    paid_minor: int
    quantity_minor: int

    @property
    def cost_minor(self) -> int:
        """What the rest has cost: the whole, less what was cut off for the part that left."""
        left_minor = self.bought_minor - self.quantity_minor
        return self.paid_minor - self.paid_minor * left_minor // self.bought_minor


class Lots:
    """First in, first out: the lots of one position, exactly, and the profit counted by them."""

    def __init__(self) -> None:
        self.open: deque[Lot] = deque()
        self.realised_minor = 0

    def fold(self, moved: Iterable[Moved]) -> Lots:
        """Take in movements of one account and asset, in order."""
        for each in moved:
            if each.kind == VALUED:
                self._value(each.value_minor)
            elif each.change_minor > 0:
                change = each.change_minor
                self.open.append(Lot(each.id, each.at_ns, change, each.value_minor, change))
            else:
                cost_minor = self._take(-each.change_minor)
                if each.kind == TRADE:
                    self.realised_minor += each.value_minor - cost_minor
        return self

    def _take(self, quantity_minor: int) -> int:
        cost_minor = 0
        while quantity_minor:
            lot = self.open[0]
            before = lot.cost_minor
            taken = min(quantity_minor, lot.quantity_minor)
            lot.quantity_minor -= taken
            quantity_minor -= taken
            cost_minor += before - lot.cost_minor
            if not lot.quantity_minor:
                self.open.popleft()
        return cost_minor

    def _value(self, value_minor: int) -> None:
        """Spread the value of the whole over the lots; the cut-off parts add up to it."""
        whole = sum(lot.quantity_minor for lot in self.open)
        before = 0
        for lot in self.open:
            after = before + lot.quantity_minor
            lot.paid_minor = value_minor * after // whole - value_minor * before // whole
            lot.bought_minor = lot.quantity_minor
            before = after


def average_cost_minor(cost_minor: int, quantity_minor: int, scale: int) -> int:
    """Return what one whole unit has cost, rounded half up; the exact figure is the fraction."""
    if not quantity_minor:
        return 0
    one_unit: int = 10**scale
    return (2 * cost_minor * one_unit + quantity_minor) // (2 * quantity_minor)
