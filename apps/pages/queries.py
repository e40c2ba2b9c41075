"""What a person has and what it is worth, now and over time, in the common quote asset.

It spans wallets and markets, so it lives above both. An asset without a market against the common
quote asset counts as worth nothing and is said to have no price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotFound
from apps.core.money import format_minor
from apps.markets.queries import Ticker24h, closing_prices, tickers
from apps.markets.rules import format_price, worth_minor
from apps.pages.rules import Flow, balances_by_step, share_bps
from apps.wallets.models import Balance
from apps.wallets.presentation import balance_json
from apps.wallets.queries import balances, flows, main_account

VALUE_ASSET: Final = "USDT"
VALUE_SCALE: Final = 8
# What comes and goes without being earned or lost.
PAID_IN: Final = frozenset({"deposit", "withdrawal", "transfer", "adjustment"})
_ORIGIN: Final = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time, cut into steps that are candles of one interval."""

    name: str
    interval: str
    step: timedelta
    steps: int


RANGES: Final = {
    each.name: each
    for each in (
        Range("1h", "1m", timedelta(minutes=1), 60),
        Range("24h", "5m", timedelta(minutes=5), 288),
        Range("7d", "1h", timedelta(hours=1), 168),
        Range("30d", "4h", timedelta(hours=4), 180),
    )
}
# Everything since the account was opened, in the finest steps that are few enough to be drawn.
ALL: Final = "all"
RANGE_NAMES: Final = (*RANGES, ALL)
STEPS_MAX: Final = 320
_STEPS: Final = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of an account. ``ticker`` is None for the value asset and for what has no price."""

    balance: Balance
    ticker: Ticker24h | None
    worth_minor: int
    share_bps: int

    @property
    def data(self) -> dict[str, object]:
        return balance_json(self.balance)

    @property
    def price(self) -> str:
        if self.ticker is None or self.ticker.last_ticks is None:
            return ""
        return format_price(self.ticker.last_ticks, self.ticker.instrument)

    @property
    def change(self) -> str:
        if self.ticker is None or self.ticker.last_ticks is None:
            return ""
        return format_minor(self.ticker.change_bps, 2, min_decimals=2)

    @property
    def worth(self) -> str:
        return value_text(self.worth_minor)

    @property
    def share(self) -> str:
        return format_minor(self.share_bps, 2, min_decimals=2)


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything in a person's main account. ``account`` is its public id, empty without one."""

    account: str
    opened_at: datetime | None
    rows: tuple[Holding, ...]
    total_minor: int

    @property
    def total(self) -> str:
        return value_text(self.total_minor)


@dataclass(frozen=True, slots=True)
class History:
    """Value at the end of each step, and why it changed from before to now.

    Before is the first step's end; nothing, where the account was opened within the range.
    """

    range: Range
    points: tuple[tuple[datetime, int], ...]
    from_opening: bool
    before_minor: int
    paid_in_minor: int
    fees_minor: int


def value_cents(minor: int) -> int:
    """Return an amount of the value asset in hundredths, rounded towards zero."""
    cent: int = 10 ** (VALUE_SCALE - 2)
    return minor // cent if minor >= 0 else -(-minor // cent)


def cents_text(cents: int) -> str:
    return format_minor(cents, 2, strip=False)


def value_text(minor: int) -> str:
    """Return an amount of the value asset with the two decimals that people read."""
    return cents_text(value_cents(minor))


def holdings_for(*, viewer: User, found: Sequence[Ticker24h] | None = None) -> Holdings:
    """Return what the viewer's main account has; empty while the account is being opened.

    ``found`` are the tickers of all markets, from who has read them already.
    """
    try:
        account = main_account(viewer=viewer)
    except NotFound:
        return Holdings("", None, (), 0)
    prices = _prices(tickers() if found is None else found)
    held = balances(viewer=viewer, account=account)
    worths = [_worth(row, prices.get(row.asset.code)) for row in held]
    total = sum(worths)
    rows = tuple(
        Holding(row, prices.get(row.asset.code), worth, share_bps(worth, total))
        for row, worth in zip(held, worths, strict=True)
    )
    return Holdings(str(account.public_id), account.created_at, rows, total)


def fitting_range(opened_at: datetime | None, now: datetime | None = None) -> str:
    """Return the shortest range that shows the whole life of an account, the longest if none."""
    age = (now or clock.now()) - (opened_at or clock.now())
    for each in RANGES.values():
        if age <= each.step * each.steps:
            return each.name
    return each.name


def range_of(name: str, opened_at: datetime | None, now: datetime) -> Range:
    """Return the range of this name; "all" is cut so that it begins when the account does."""
    if name != ALL:
        return RANGES[name]
    begins = opened_at or now
    for interval, step in _STEPS.items():
        steps = (now - _ORIGIN) // step - (begins - _ORIGIN) // step + 1
        if steps <= STEPS_MAX:
            return Range(name, interval, step, max(steps, 2))
    return Range(name, "1w", _STEPS["1w"], STEPS_MAX)


def value_history(
    *, viewer: User, holdings: Holdings, name: str, now: datetime | None = None
) -> History:
    """Return what the account was worth at the end of each step of the range."""
    at = now or clock.now()
    wanted = range_of(name, holdings.opened_at, at)
    newest = _ORIGIN + (at - _ORIGIN) // wanted.step * wanted.step
    first = newest - wanted.step * (wanted.steps - 1)
    if not holdings.account:
        return History(wanted, (), True, 0, 0, 0)
    account = main_account(viewer=viewer)
    moved = [
        Flow(step=(row.begins - first) // wanted.step, asset_id=row.asset_id, kind=row.kind,
             amount_minor=row.amount_minor)
        for row in flows(viewer=viewer, account=account, since=first, step=wanted.step)
    ]  # fmt: skip
    opened = ((holdings.opened_at or first) - first) // wanted.step
    from_opening = opened >= 0
    # What came in during the first step shown is in its value already, unless all began there.
    counted_from = opened if from_opening else 1
    totals = [0] * wanted.steps
    paid_in = fees = 0
    prices = _price_steps(holdings, wanted, first)
    for row in holdings.rows:
        mine = [flow for flow in moved if flow.asset_id == row.balance.asset_id]
        now_minor = row.balance.available_minor + row.balance.held_minor
        values = prices[row.balance.asset_id]
        for step, held in enumerate(balances_by_step(wanted.steps, now_minor, mine)):
            totals[step] += _worth_at(held, values[step], row)
        for flow in mine:
            value = _worth_at(flow.amount_minor, values[flow.step], row)
            if flow.step >= counted_from and flow.kind in PAID_IN:
                paid_in += value
            elif flow.step >= counted_from and flow.kind == "fee":
                fees += value
    points = [(first + wanted.step * step, total) for step, total in enumerate(totals)]
    before = 0 if from_opening else totals[0]
    return History(wanted, tuple(points[max(0, opened) :]), from_opening, before, paid_in, fees)


def _prices(found: Sequence[Ticker24h]) -> Mapping[str, Ticker24h]:
    return {
        ticker.instrument.base.code: ticker
        for ticker in found
        if ticker.instrument.quote.code == VALUE_ASSET
    }


def _worth(row: Balance, ticker: Ticker24h | None) -> int:
    held = row.available_minor + row.held_minor
    if row.asset.code == VALUE_ASSET:
        return held
    if ticker is None or ticker.last_ticks is None:
        return 0
    return worth_minor(held, ticker.last_ticks, ticker.instrument)


def _worth_at(amount_minor: int, price_ticks: int, row: Holding) -> int:
    if row.balance.asset.code == VALUE_ASSET:
        return amount_minor
    return worth_minor(amount_minor, price_ticks, row.ticker.instrument) if row.ticker else 0


def _price_steps(holdings: Holdings, wanted: Range, first: datetime) -> Mapping[int, Sequence[int]]:
    """Return the closing price of every step, by asset; the last step has that of this moment."""
    tickers_of = {
        row.balance.asset_id: row.ticker
        for row in holdings.rows
        if row.ticker is not None and row.ticker.last_ticks is not None
    }
    found = closing_prices(
        instruments=[ticker.instrument for ticker in tickers_of.values()],
        first=first, step=wanted.step, steps=wanted.steps,
    )  # fmt: skip
    prices = {}
    for row in holdings.rows:
        ticker = tickers_of.get(row.balance.asset_id)
        last = ticker.last_ticks if ticker is not None and ticker.last_ticks is not None else 0
        known = [] if ticker is None else found.get(ticker.instrument.id, [])
        prices[row.balance.asset_id] = [*(known[:-1] or [last] * (wanted.steps - 1)), last]
    return prices
