"""Arithmetic of limits, losses and drawdowns: what is narrower, what is a breach.

Whole minor units and basis points; knows no database and no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Final

BPS: Final = 10_000
DAILY_LOSS: Final = "daily_loss"
DRAWDOWN: Final = "drawdown"
# What a breach does to the account; as of every limit the smaller number is the narrower.
KILL: Final = 1
ONLY_SELL: Final = 2


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Limits as they were set; None limits nothing. A smaller number is always the narrower."""

    max_open_orders: int | None = None
    orders_per_second: int | None = None
    repeated_orders_per_second: int | None = None
    max_order_value_minor: int | None = None
    max_daily_loss_minor: int | None = None
    max_drawdown_bps: int | None = None
    breach_action: int | None = None


LIMIT_NAMES: Final = tuple(field.name for field in fields(LimitSet))
# What they are called outside, where amounts are decimal text.
OUTSIDE_NAMES: Final = {
    **{name: name for name in LIMIT_NAMES},
    "max_order_value_minor": "max_order_value",
    "max_daily_loss_minor": "max_daily_loss",
    "max_drawdown_bps": "max_drawdown_percent",
    "breach_action": "on_breach",
}


def narrower(first: LimitSet, second: LimitSet) -> LimitSet:
    """Return for each limit the smaller of the two."""
    return LimitSet(
        **{
            name: _smaller(getattr(first, name), getattr(second, name))
            for name in LIMIT_NAMES
        }
    )  # fmt: skip


def looser_names(wanted: LimitSet, bounds: LimitSet) -> list[str]:
    """Return the limits of ``wanted`` that allow more than ``bounds``; none limits nothing."""
    return [
        name
        for name in LIMIT_NAMES
        if (bound := getattr(bounds, name)) is not None
        and ((value := getattr(wanted, name)) is None or value > bound)
    ]


def unsaid(limits: LimitSet, wanted: LimitSet) -> LimitSet:
    """Return the limits without "only sell" where ``wanted`` names no action.

    That is what a breach does where nothing was chosen: to say it no longer loosens nothing.
    """
    if wanted.breach_action is None and limits.breach_action == ONLY_SELL:
        return replace(limits, breach_action=None)
    return limits


def wider_than_house(wanted: LimitSet, house: LimitSet) -> list[str]:
    """Return the limits that somebody sets for himself and that the house's would not let him."""
    return [
        name
        for name in LIMIT_NAMES
        if (value := getattr(wanted, name)) is not None
        and (bound := getattr(house, name)) is not None
        and value > bound
    ]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an account is worth, what it has made, and what was paid in, at one moment.

    ``equity = paid_in + profit``: money that comes and goes changes both sides alike.
    """

    equity_minor: int
    profit_minor: int

    @property
    def paid_in_minor(self) -> int:
        return self.equity_minor - self.profit_minor


@dataclass(frozen=True, slots=True)
class Memory:
    """What of the past the limits need: where the day began, and the best there was."""

    day: date
    day_profit_minor: int
    peak_profit_minor: int
    paid_in_minor: int


@dataclass(frozen=True, slots=True)
class Breach:
    cause: str
    measured: int
    limit: int
    own_limit: bool
    kills: bool = False


def advance(memory: Memory | None, figures: Figures, today: date) -> Memory:
    """Return the memory after a look at the figures.

    Money that came or went since the last look leaves the drawdown in per cent what it was:
    what was lost at the peak is scaled with the equity, as if the account were cut into units.
    """
    profit, paid_in = figures.profit_minor, figures.paid_in_minor
    if memory is None:
        return Memory(today, profit, profit, paid_in)
    drop = max(0, memory.peak_profit_minor - profit)
    before = figures.equity_minor - (paid_in - memory.paid_in_minor)
    if paid_in != memory.paid_in_minor and before > 0:
        drop = drop * max(0, figures.equity_minor) // before
    began = memory.day_profit_minor if memory.day == today else profit
    return Memory(today, began, profit + drop, paid_in)


def day_loss_minor(memory: Memory, figures: Figures) -> int:
    """Return what was lost since the day began; zero where something was made."""
    return max(0, memory.day_profit_minor - figures.profit_minor)


def drawdown_bps(memory: Memory, figures: Figures) -> int:
    """Return by how much the equity is below its peak, cut off to a hundredth of a per cent."""
    drop = max(0, memory.peak_profit_minor - figures.profit_minor)
    peak = figures.equity_minor + drop
    return drop * BPS // peak if peak > 0 else 0


def breaches(
    memory: Memory, figures: Figures, *, house: LimitSet, own: LimitSet
) -> Iterator[Breach]:
    """Yield what is breached, a limit at most once; where both are, the house's counts.

    The owner decides what his own limits do, and may have the house's do more, but not less.
    """
    loss = day_loss_minor(memory, figures)
    fall = drawdown_bps(memory, figures)
    for cause, measured, name in (
        (DAILY_LOSS, loss, "max_daily_loss_minor"),
        (DRAWDOWN, fall, "max_drawdown_bps"),
    ):
        for limits, is_own in ((house, False), (own, True)):
            limit = getattr(limits, name)
            if limit is not None and measured >= limit:
                kills = KILL in (own.breach_action, None if is_own else house.breach_action)
                yield Breach(cause, measured, limit, is_own, kills)
                break


def middle_ticks(bid: int | None, ask: int | None, last: int | None) -> int | None:
    """Return the mark: the last price, brought between the best bid and the best ask.

    One lot far from the market moves it no further than to the next offer. Before the first trade
    there is none: until then a position has no cost either, and a mark alone would be profit.
    """
    if bid is None or ask is None or last is None:
        return None
    return sorted((bid, last, ask))[1]


def _smaller(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
