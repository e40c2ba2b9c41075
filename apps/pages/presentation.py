"""A portfolio as its page shows it: a line and its labels, the last day, the parts of a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from apps.core.clock import iso
from apps.pages.queries import ALL, History, Holding, Holdings, cents_text, value_cents, value_text
from apps.pages.rules import shares_of_1000

CHART_WIDTH: Final = 600
CHART_HEIGHT: Final = 200
LABELS: Final = 5
TABLE_ROWS: Final = 24
PARTS_MAX: Final = 6
_MINOR_PER_UNIT: Final = 10**8
_LABEL_DECIMALS_BELOW: Final = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """Why the value changed over a history, each sum as text."""

    before_text: str
    now_text: str
    paid_in_text: str
    fees_text: str
    result_text: str
    from_opening: bool


@dataclass(frozen=True, slots=True)
class Point:
    at: str
    value: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The line as points of an SVG, and the same in words and rows. Empty with too few points."""

    points: str
    area: str
    lines: tuple[int, ...]
    labels: tuple[str, ...]
    label_places: int
    series: tuple[tuple[str, str], ...]
    table: tuple[Point, ...]
    begins: str
    ends: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """One asset of the account: what is there of it and, if it is not cash, what it has made."""

    holding: Holding
    position: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Part:
    code: str
    share: str
    start: str


def lines_of(holdings: Holdings, positions: Sequence[Mapping[str, object]]) -> tuple[Line, ...]:
    """Join what is held with what it has made, in the order of the assets."""
    made = {str(position["asset"]): position for position in positions}
    return tuple(Line(row, made.get(row.balance.asset.code)) for row in holdings.rows)


def summary_of(history: History, holdings: Holdings) -> Summary:
    """Sums as they are read: what prices and trading made is what makes them add up to the cent."""
    before, now, paid_in, fees = (
        value_cents(minor)
        for minor in (
            history.before_minor, holdings.total_minor, history.paid_in_minor, history.fees_minor
        )
    )  # fmt: skip
    return Summary(
        before_text=cents_text(before),
        now_text=cents_text(now),
        paid_in_text=cents_text(paid_in),
        fees_text=cents_text(fees),
        result_text=cents_text(now - before - paid_in - fees),
        from_opening=history.from_opening,
    )


def chart_of(history: History) -> Chart:
    values = [value for _, value in history.points]
    if len(values) < 2:
        return Chart("", "", (), (), 0, (), (), "", "", "")
    low, high = _padded(min(values), max(values))
    points = " ".join(
        f"{index * CHART_WIDTH // (len(values) - 1)},{_height(value, low, high)}"
        for index, value in enumerate(values)
    )
    labels = [high - (high - low) * index // (LABELS - 1) for index in range(LABELS)]
    series = tuple((iso(at), value_text(value)) for at, value in history.points)
    step = max(1, len(series) // TABLE_ROWS)
    rows = tuple(Point(*pair) for pair in series[::-1][::step])
    return Chart(
        points=points,
        area=f"0,{CHART_HEIGHT} {points} {CHART_WIDTH},{CHART_HEIGHT}",
        lines=tuple(CHART_HEIGHT * index // (LABELS - 1) for index in range(LABELS)),
        labels=tuple(value_text(label) for label in labels),
        label_places=2 if high - low < _LABEL_DECIMALS_BELOW * _MINOR_PER_UNIT else 0,
        series=series,
        table=rows,
        begins=series[0][0],
        ends=series[-1][0],
        words=(
            f"Value from {value_text(values[0])} to {value_text(values[-1])} USDT, "
            f"lowest {value_text(min(values))}, highest {value_text(max(values))}."
        ),
    )


def parts_of(holdings: Holdings) -> tuple[Part, ...]:
    """Return the largest holdings and the rest together, as shares that fill the whole."""
    held = (row for row in holdings.rows if row.worth_minor)
    rows = sorted(held, key=lambda row: -row.worth_minor)
    worths = [(row.balance.asset.code, row.worth_minor) for row in rows[: PARTS_MAX - 1]]
    rest = sum(row.worth_minor for row in rows[PARTS_MAX - 1 :])
    if rest:
        worths.append(("Others", rest))
    parts, start = [], 0
    shares = shares_of_1000([worth for _, worth in worths])
    for (code, _), share in zip(worths, shares, strict=True):
        parts.append(Part(code, _percent(share), _percent(start)))
        start += share
    return tuple(parts)


def parts_in_words(parts: Sequence[Part]) -> str:
    return ", ".join(f"{part.code} {part.share}%" for part in parts) or "Nothing held."


def span_words(history: History) -> str:
    if history.range.name == ALL or len(history.points) < history.range.steps:
        return "since your account was opened"
    spans: dict[timedelta, str] = {
        timedelta(hours=1): "in the last hour",
        timedelta(hours=24): "in the last 24 hours",
        timedelta(days=7): "in the last 7 days",
    }
    return spans.get(history.range.step * history.range.steps, "in the last 30 days")


def _padded(low: int, high: int) -> tuple[int, int]:
    """Room above and below the line, so that a flat value is a line in the middle."""
    room = (high - low) // 10 or max(high // 1000, 1)
    return max(0, low - room), high + room


def _height(value: int, low: int, high: int) -> int:
    return (high - value) * CHART_HEIGHT // (high - low)


def _percent(thousandths: int) -> str:
    return f"{thousandths // 10}.{thousandths % 10}"
