"""What the house must do so that its part of a book becomes the feed's, and its tape too.

Pure arithmetic on prices and lots of one market; one own order at most per side and price. It
knows no orders of others: who quotes better than the feed trades first, and that is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import FeedTrade, Levels

OPPOSITE: Final = {BUY: SELL, SELL: BUY}

# Lots by price, for each side.
Sides: TypeAlias = dict[int, dict[int, int]]


class CancelQuote(NamedTuple):
    side: int
    price_ticks: int


class PlaceQuote(NamedTuple):
    side: int
    price_ticks: int
    quantity_lots: int


class Take(NamedTuple):
    """An order of the house taker that repeats one print of the feed."""

    side: int
    price_ticks: int
    quantity_lots: int


Intent: TypeAlias = CancelQuote | PlaceQuote | Take


class SizeLimits(NamedTuple):
    """The largest order of a market; zero means none."""

    quantity_lots: int
    notional_minor: int
    tick_lot_minor: int

    def largest_lots(self, price_ticks: int, lots: int) -> int:
        """Return the lots, or what of them one order at this price may have."""
        if self.quantity_lots:
            lots = min(lots, self.quantity_lots)
        if self.notional_minor:
            lots = min(lots, self.notional_minor // (price_ticks * self.tick_lot_minor))
        return lots


def capped(levels: Levels, limits: SizeLimits) -> dict[int, int]:
    """Return the levels as lots by price, none larger than one order may be."""
    sized = ((price, limits.largest_lots(price, lots)) for price, lots in levels)
    return {price: lots for price, lots in sized if lots > 0}


def split(trades: Iterable[FeedTrade], limits: SizeLimits) -> list[FeedTrade]:
    """Return the trades, those larger than one order may be in parts that follow each other."""
    parts: list[FeedTrade] = []
    for trade in trades:
        left = trade.quantity_lots
        while left > 0:
            lots = limits.largest_lots(trade.price_ticks, left)
            if lots <= 0:
                break
            parts.append(FeedTrade(trade.price_ticks, lots, trade.taker_side))
            left -= lots
    return parts


def plan(
    own: Sides, target: Sides, trades: Sequence[FeedTrade], limits: SizeLimits
) -> list[Intent]:
    """Return the orders of one step: first the prints, each at its price, then the new book.

    After them own quotes equal ``target``. At no moment do own quotes cross, and each print meets
    exactly one own quote, at its price, that is large enough.
    """
    working: Sides = {side: dict(levels) for side, levels in own.items()}
    intents: list[Intent] = []
    still_to_print = _lots_to_print(trades)
    for trade in trades:
        _print(trade, working, target, still_to_print, limits, intents)
    _requote(working, target, intents)
    return intents


def crossing(levels: dict[int, int], side: int, price_ticks: int) -> list[int]:
    """Return the prices of this side that an order of the other side at the price would meet."""
    if side == SELL:
        return [price for price in levels if price <= price_ticks]
    return [price for price in levels if price >= price_ticks]


def _lots_to_print(trades: Iterable[FeedTrade]) -> dict[tuple[int, int], int]:
    """Return how much is still to be printed against each side and price."""
    lots: dict[tuple[int, int], int] = {}
    for trade in trades:
        key = (OPPOSITE[trade.taker_side], trade.price_ticks)
        lots[key] = lots.get(key, 0) + trade.quantity_lots
    return lots


def _print(
    trade: FeedTrade,
    working: Sides,
    target: Sides,
    still_to_print: dict[tuple[int, int], int],
    limits: SizeLimits,
    intents: list[Intent],
) -> None:
    price, lots = trade.price_ticks, trade.quantity_lots
    maker_side = OPPOSITE[trade.taker_side]
    makers, takers = working[maker_side], working[trade.taker_side]
    # Quotes that are better than the print would trade in its place.
    for better in crossing(makers, maker_side, price):
        if better != price:
            _cancel(makers, maker_side, better, intents)
    standing = makers.get(price, 0)
    if standing < lots:
        if standing:
            _cancel(makers, maker_side, price, intents)
        for crossed in crossing(takers, trade.taker_side, price):
            _cancel(takers, trade.taker_side, crossed, intents)
        # One order for all that is to come at this price: what is left of it is the new level.
        wanted = still_to_print[maker_side, price] + target[maker_side].get(price, 0)
        standing = max(limits.largest_lots(price, wanted), lots)
        intents.append(PlaceQuote(maker_side, price, standing))
    intents.append(Take(trade.taker_side, price, lots))
    still_to_print[maker_side, price] -= lots
    if standing > lots:
        makers[price] = standing - lots
    else:
        makers.pop(price, None)


def _requote(working: Sides, target: Sides, intents: list[Intent]) -> None:
    """Cancel what is not wanted as it stands, on both sides, before anything new is placed."""
    for side in (BUY, SELL):
        for price, lots in list(working[side].items()):
            if target[side].get(price) != lots:
                _cancel(working[side], side, price, intents)
    for side in (BUY, SELL):
        for price, lots in target[side].items():
            if price not in working[side]:
                intents.append(PlaceQuote(side, price, lots))


def _cancel(levels: dict[int, int], side: int, price_ticks: int, intents: list[Intent]) -> None:
    del levels[price_ticks]
    intents.append(CancelQuote(side, price_ticks))
