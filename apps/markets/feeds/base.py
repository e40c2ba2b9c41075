"""The one interface of market data: steps of feed time, each with what changed in which market.

Everything is whole ticks and lots of our own instruments from here on. Prices and traded
quantities that are not exactly that are refused; sizes of levels are cut down to whole lots.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple, Protocol, TypeAlias

from apps.core.errors import Invalid
from apps.core.money import parse_decimal

# Sources step on one grid of feed time, so that steps of several sources fall together.
GRID_NS: Final = 100_000_000
DEPTH: Final = 20

Level: TypeAlias = tuple[int, int]
Levels: TypeAlias = tuple[Level, ...]


class FeedTrade(NamedTuple):
    """One print of the source. ``taker_side`` is BUY or SELL of the engine's messages."""

    price_ticks: int
    quantity_lots: int
    taker_side: int


class MarketStep(NamedTuple):
    """One market after a step: the whole visible book, best first, and the prints since the last.

    ``restarted`` says that this does not continue what was there before (start, loop, gap).
    An empty side is not known or not there: nothing may be quoted on it.
    """

    market_id: int
    bids: Levels
    asks: Levels
    trades: tuple[FeedTrade, ...] = ()
    restarted: bool = False

    def middle_ticks(self) -> int:
        """Return the price the market stands at, or zero where nothing tells it."""
        if self.bids and self.asks:
            return (self.bids[0][0] + self.asks[0][0]) // 2
        if self.trades:
            return self.trades[-1].price_ticks
        edge = self.bids or self.asks
        return edge[0][0] if edge else 0


class Step(NamedTuple):
    """All markets that changed by ``at_ns``, nanoseconds since the feed began, never falling."""

    at_ns: int
    markets: tuple[MarketStep, ...]


class Feed(Protocol):
    """A source. ``steps`` may be endless and is read once."""

    @property
    def counters(self) -> Mapping[str, int]: ...

    def steps(self) -> Iterator[Step]: ...


@dataclass(frozen=True, slots=True)
class MarketScale:
    """How a market counts: minor units of one tick per whole base unit, and of one lot."""

    market_id: int
    symbol: str
    tick_minor: int
    lot_minor: int
    quote_scale: int = 8
    base_scale: int = 8

    def ticks(self, text: str) -> int:
        """Return the price in ticks; one that is no whole number of ticks is refused."""
        ticks, rest = divmod(parse_decimal(text, self.quote_scale), self.tick_minor)
        if rest:
            raise Invalid("tick_size", f"{text} is no whole number of ticks of {self.symbol}.")
        return ticks

    def lots(self, text: str) -> int:
        """Return the quantity in lots; one that is no whole number of lots is refused."""
        lots, rest = divmod(parse_decimal(text, self.base_scale), self.lot_minor)
        if rest:
            raise Invalid("lot_size", f"{text} is no whole number of lots of {self.symbol}.")
        return lots

    def whole_lots(self, text: str) -> tuple[int, bool]:
        """Return the whole lots in a level's size, and whether part of a lot was cut off."""
        lots, rest = divmod(parse_decimal(text, self.base_scale), self.lot_minor)
        return lots, rest > 0


class MergedFeed:
    """Several sources of different markets as one, in feed time; equal times become one step."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds

    @property
    def counters(self) -> Mapping[str, int]:
        merged: dict[str, int] = {}
        for feed in self._feeds:
            for name, count in feed.counters.items():
                merged[name] = merged.get(name, 0) + count
        return merged

    def steps(self) -> Iterator[Step]:
        merged = heapq.merge(*(feed.steps() for feed in self._feeds), key=_at_ns)
        for at_ns, group in groupby(merged, key=_at_ns):
            yield Step(at_ns, tuple(market for step in group for market in step.markets))


def _at_ns(step: Step) -> int:
    return step.at_ns
