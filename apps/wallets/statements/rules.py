"""Periods: whole days, UTC, at most a year. Pure: text and today's date in, days out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from apps.core.errors import Invalid

DAYS_MAX: Final = 366
EARLIEST: Final = date(2000, 1, 1)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of the first day to the end of the last, or to now where it goes on."""

    first: date
    last: date

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    def ends(self, now: datetime) -> datetime:
        """Return the moment before which everything in the period has happened."""
        return min(datetime.combine(self.last, time(), UTC) + timedelta(days=1), now)

    def goes_on(self, now: datetime) -> bool:
        return self.ends(now) == now

    @property
    def words(self) -> str:
        return f"{_words(self.first)} to {_words(self.last)}"


def period_of(*, period: str = "", first: str = "", last: str = "", today: date) -> Period:
    """Return the period of a year (2026), a month (2026-10) or two days, both of them in it.

    Without any it is the present month.
    """
    if period and (first or last):
        raise Invalid("invalid_period", "Name a period, or its first and last day, not both.")
    if period:
        found = _named(period)
    elif first or last:
        found = Period(_day(first), _day(last))
    else:
        found = _month(today.year, today.month)
    if found.last < found.first:
        raise Invalid("invalid_period", "The last day comes before the first.")
    if (found.last - found.first).days >= DAYS_MAX:
        raise Invalid("invalid_period", f"A period has at most {DAYS_MAX} days.")
    if found.first > today or found.first < EARLIEST:
        raise Invalid("invalid_period", "There is nothing to state of that period.")
    return found


def recent_months(today: date, count: int) -> list[str]:
    """Return the names of the present month and those before it, newest first."""
    index = today.year * 12 + today.month - 1
    return [f"{each // 12:04}-{each % 12 + 1:02}" for each in range(index, index - count, -1)]


def _named(text: str) -> Period:
    month = _MONTH.fullmatch(text)
    if month is not None:
        return _month(int(month[1]), int(month[2]))
    if _YEAR.fullmatch(text) and int(text) >= EARLIEST.year:
        return Period(date(int(text), 1, 1), date(int(text), 12, 31))
    raise _unclear()


def _month(year: int, month: int) -> Period:
    if not 1 <= month <= 12 or not EARLIEST.year <= year < 9999:
        raise _unclear()
    following = date(year + month // 12, month % 12 + 1, 1)
    return Period(date(year, month, 1), following - timedelta(days=1))


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise _unclear()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _unclear() from None
    if not EARLIEST <= day < date(9999, 1, 1):
        raise _unclear()
    return day


def _unclear() -> Invalid:
    return Invalid(
        "invalid_period",
        "Write a year (2026), a month (2026-10), or a first and a last day (2026-10-01).",
    )


def _words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
