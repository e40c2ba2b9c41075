"""Realised gains by lots: pure arithmetic over the movements of one account and one asset.

Whatever comes in is a lot; a sale takes from lots in the order of a method, and each part it takes
is a disposal. Whole minor units only. Where a part of a lot leaves, its part of the cost and of the
purchase's fee is cut off, and so is each part of a sale's proceeds and fee; the last part carries
what was cut off before. So all parts add up to the whole, and once everything is sold every method
has the same sum: what was received, less what was paid, less all fees.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeAlias

from apps.trades.positions import TRADE, VALUED, Moved


class Method(StrEnum):
    """Which lot a sale takes first."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"


METHOD_WORDS: Final = {
    Method.FIFO: "First in, first out",
    Method.LIFO: "Last in, first out",
    Method.HIFO: "Highest cost first",
}


@dataclass(slots=True)
class TaxLot:
    """What came in by one movement, and how much of it is left."""

    id: int
    at_ns: int
    bought: bool
    whole_minor: int
    paid_minor: int
    fee_minor: int
    left_minor: int

    @property
    def cost_minor(self) -> int:
        """What the rest has cost, its part of the fee included."""
        gone = self.whole_minor - self.left_minor
        return (
            self.paid_minor - share(self.paid_minor, 0, gone, self.whole_minor)
            + self.fee_minor - share(self.fee_minor, 0, gone, self.whole_minor)
        )  # fmt: skip

    def take(self, quantity_minor: int) -> tuple[int, int]:
        """Take a part out; return what it had cost, and its part of the fee."""
        before = self.whole_minor - self.left_minor
        after = before + quantity_minor
        self.left_minor -= quantity_minor
        return (
            share(self.paid_minor, before, after, self.whole_minor),
            share(self.fee_minor, before, after, self.whole_minor),
        )

    def value(self, paid_minor: int) -> None:
        """Begin anew with what is left, at what it is worth now."""
        self.whole_minor, self.paid_minor, self.fee_minor = self.left_minor, paid_minor, 0


@dataclass(frozen=True, slots=True)
class Disposal:
    """A part of a lot that was sold. Its gain is what it brought, less cost, less both fees."""

    id: int
    lot_id: int
    bought: bool
    acquired_ns: int
    disposed_ns: int
    quantity_minor: int
    proceeds_minor: int
    cost_minor: int
    fees_minor: int

    @property
    def gain_minor(self) -> int:
        return self.proceeds_minor - self.cost_minor - self.fees_minor


@dataclass(frozen=True, slots=True)
class Passage:
    """What came in or left without a sale: deposits, withdrawals, transfers. It makes no gain.

    ``basis_minor`` is what it was worth when it came, or what had been paid for what left.
    """

    id: int
    at_ns: int
    change_minor: int
    basis_minor: int


Outcome: TypeAlias = Disposal | Passage


def share(amount_minor: int, before: int, after: int, whole: int) -> int:
    """Return the part of an amount for what lies between two marks of a whole.

    Parts that follow one another from zero to the whole add up to the amount.
    """
    return amount_minor * after // whole - amount_minor * before // whole


class TaxLots:
    """The lots of one account and asset, in the order in which a method sells them."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._waiting: list[tuple[Fraction, int, TaxLot]] = []
        self._count = 0
        self._fees_minor = 0

    def open(self) -> list[TaxLot]:
        """Return the lots of which something is left, oldest first."""
        return sorted((lot for *_, lot in self._waiting), key=lambda lot: lot.id)

    def fold(self, moved: Iterable[Moved]) -> Iterator[Outcome]:
        """Take in movements, in their order, and yield what they dispose of or let pass."""
        for each in moved:
            # The movement's own fee: the position only knows all fees so far.
            fee_minor = each.fees_minor - self._fees_minor
            self._fees_minor = each.fees_minor
            if each.kind == VALUED:
                self._value(each.value_minor)
            elif each.change_minor > 0:
                bought = each.kind == TRADE
                self._add(each, bought, fee_minor)
                if not bought:
                    yield Passage(each.id, each.at_ns, each.change_minor, each.value_minor)
            elif each.kind == TRADE:
                yield from self._sell(each, fee_minor)
            else:
                parts = list(self._take(-each.change_minor))
                basis = sum(cost + fee for _, _, cost, fee in parts)
                yield Passage(each.id, each.at_ns, each.change_minor, basis)

    def _add(self, each: Moved, bought: bool, fee_minor: int) -> None:
        change = each.change_minor
        self._push(TaxLot(each.id, each.at_ns, bought, change, each.value_minor, fee_minor, change))

    def _sell(self, each: Moved, fee_minor: int) -> Iterator[Disposal]:
        whole, sold = -each.change_minor, 0
        for lot, quantity, cost, bought_fee in self._take(whole):
            after = sold + quantity
            proceeds = share(each.value_minor, sold, after, whole)
            fees = bought_fee + share(fee_minor, sold, after, whole)
            yield Disposal(
                each.id, lot.id, lot.bought, lot.at_ns, each.at_ns, quantity, proceeds, cost, fees
            )
            sold = after

    def _take(self, quantity_minor: int) -> Iterator[tuple[TaxLot, int, int, int]]:
        """Take a quantity out of as many lots as it needs: lot, quantity, cost and fee of each."""
        while quantity_minor:
            lot = self._waiting[0][2]
            taken = min(quantity_minor, lot.left_minor)
            cost, fee = lot.take(taken)
            if not lot.left_minor:
                heapq.heappop(self._waiting)
            quantity_minor -= taken
            yield lot, taken, cost, fee

    def _value(self, value_minor: int) -> None:
        """Spread the value of the whole over the lots; the cut-off parts add up to it."""
        lots = self.open()
        whole, before = sum(lot.left_minor for lot in lots), 0
        self._waiting.clear()
        for lot in lots:
            after = before + lot.left_minor
            lot.value(share(value_minor, before, after, whole))
            self._push(lot)
            before = after

    def _push(self, lot: TaxLot) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (self._turn(lot), self._count, lot))

    def _turn(self, lot: TaxLot) -> Fraction:
        """Return when its turn comes: the least first. Of equal ones the older is sold first."""
        if self._method == Method.HIFO:
            return Fraction(-lot.paid_minor - lot.fee_minor, lot.whole_minor)
        return Fraction(lot.id if self._method == Method.FIFO else -lot.id)
