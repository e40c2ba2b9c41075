"""The first page of the admin: what whoever looks may see, in parts, with two days as pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from django.http import HttpRequest

from apps.accounts.models import User
from apps.core import clock
from apps.core.clock import iso
from apps.pages.desk import figures, hours
from apps.pages.desk.figures import Figure
from apps.pages.desk.kept import kept
from apps.pages.desk.queues import Count, counts

SEES_PEOPLE: Final = "accounts.view_user"
SEES_TRADING: Final = "trades.view_order"
SEES_MONEY: Final = "wallets.view_ledgerentry"
SEES_SYSTEM: Final = "markets.view_instrument"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of two days, one bar an hour, and the same as a table."""

    key: str
    title: str
    summary: str
    bars: list[hours.Bar]
    rows: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    key: str
    title: str
    figures: list[Figure]
    charts: list[Chart]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the parts that the rights of whoever looks open; the admin calls this."""
    has_right = cast(User, request.user).has_perm
    context["title"] = "The desk"
    context["parts"] = parts(has_right=has_right)
    context["waits"] = counts(has_right=has_right)
    context["read_at"] = iso(clock.now())
    return context


def parts(*, has_right: Callable[[str], bool]) -> list[Part]:
    """Return the parts, each at most ten seconds old."""
    readers: list[tuple[str, str, Callable[[], Part]]] = [
        (SEES_PEOPLE, "people", _people),
        (SEES_TRADING, "trading", _trading),
        (SEES_MONEY, "money", _money),
        (SEES_SYSTEM, "system", _system),
    ]
    found = [kept(f"part:{key}", read) for right, key, read in readers if has_right(right)]
    return [_without_what_is_not_his(part, has_right) for part in found]


def _without_what_is_not_his(part: Part, has_right: Callable[[str], bool]) -> Part:
    """How much waits in a queue is told to those who may see the queue."""
    hidden = {label for label, right in _QUEUED.items() if not has_right(right)}
    kept_figures = [figure for figure in part.figures if figure.label not in hidden]
    return Part(part.key, part.title, kept_figures, part.charts)


_QUEUED: Final = {
    "Verifications waiting": "accounts.review_verification",
    "Verified, 7 days": "accounts.review_verification",
    "Withdrawals to decide": "wallets.change_withdrawal",
    "Deposits in question": "wallets.change_withdrawal",
}


def _people() -> Part:
    return Part("people", "People", figures.people(clock.now(), _counted()), [])


def _money() -> Part:
    return Part("money", "Money", figures.money(clock.now(), _counted()), [])


def _system() -> Part:
    return Part("system", "System", figures.system(clock.now()), [])


def _counted() -> Callable[[str], Count]:
    known: dict[str, Count] = {
        source.key: count for source, count in counts(has_right=lambda right: True)
    }
    return known.__getitem__


def _trading() -> Part:
    now = clock.now()
    seen = hours.last_hours(now=now)
    times = [f"{hour.at:%d %b %H:00}" for hour in seen]
    charts = [
        _chart("volume", "Volume by the hour, USDT", times,
               [hour.volume_minor // 10**8 for hour in seen]),
        _chart("orders", "Orders of people by the hour", times, [hour.orders for hour in seen]),
        _chart("trades", "Trades by the hour", times, [hour.trades for hour in seen]),
    ]  # fmt: skip
    day = seen[-24:]
    totals = [
        Figure("Volume, 24 h", figures.usdt(sum(hour.volume_minor for hour in day)), "USDT"),
        Figure("Orders of people, 24 h", f"{sum(hour.orders for hour in day):,}"),
        Figure("Trades, 24 h", f"{sum(hour.trades for hour in day):,}"),
    ]
    return Part("trading", "Trading", [*totals, *figures.trading(now)], charts)


def _chart(key: str, title: str, times: list[str], values: list[int]) -> Chart:
    said = [f"{time}: {value:,}" for time, value in zip(times, values, strict=True)]
    most = max(values)
    summary = f"{sum(values):,} in 48 hours; most in an hour {most:,}"
    if most:
        summary += f", at {times[values.index(most)]}"
    rows = [(time, f"{value:,}") for time, value in zip(times, values, strict=True)]
    return Chart(key, title, summary, hours.bars(values, said), rows[::-1])
