"""Lots by three methods: the example of docs/tax.md to the last digit, and what always holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from apps.core.money import format_minor, parse_decimal
from apps.trades.positions import TRADE, TRANSFER, VALUED, Moved
from apps.trades.tax.rules import Disposal, Method, Outcome, Passage, TaxLots

SCALE = 8
PAGE = Path(settings.BASE_DIR) / "docs" / "tax.md"
(EXAMPLE,) = re.findall(r"^```tax\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
STORY, *ANSWERS = EXAMPLE.split("\n\n")


def _moved(rows: Iterable[tuple[int, int, int, int]]) -> list[Moved]:
    """Movements of (kind, change, value, fee), as the positions would have noted them."""
    fees, made = 0, []
    for number, (kind, change, value, fee) in enumerate(rows, 1):
        fees += fee
        made.append(Moved(number, number * 10**9, 1000, 2, kind, change, value, 0, 0, 0, 0, fees))
    return made


def _minor(text: str) -> int:
    return parse_decimal(text.strip(), SCALE)


def _told(line: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(
        r"(bought|sold) +([\d.]+) for +([\d.]+), fee +([\d.]+)|received ([\d.]+) worth ([\d.]+)"
        r"|withdrew ([\d.]+)", line,
    )  # fmt: skip
    assert found is not None, line
    verb, quantity, value, fee, received, worth, withdrew = found.groups()
    if verb:
        sign = 1 if verb == "bought" else -1
        return TRADE, sign * _minor(quantity), _minor(value), _minor(fee)
    if received:
        return TRANSFER, _minor(received), _minor(worth), 0
    return TRANSFER, -_minor(withdrew), 0, 0


def _shown(minor: int) -> str:
    return format_minor(minor, SCALE, strip=False)


def _said(outcome: Outcome) -> str:
    if isinstance(outcome, Passage):
        return f"withdrew {_shown(-outcome.change_minor)} at {_shown(outcome.basis_minor)}"
    return (
        f"{_shown(outcome.quantity_minor)} of lot {outcome.lot_id}: proceeds"
        f" {_shown(outcome.proceeds_minor)}, cost {_shown(outcome.cost_minor)}, fees"
        f" {_shown(outcome.fees_minor)}, gain {_shown(outcome.gain_minor)}"
    )


@pytest.mark.parametrize("answer", ANSWERS, ids=[each.split()[0] for each in ANSWERS])
def test_the_example_of_the_page_is_true(answer: str) -> None:
    name, *lines = answer.strip().splitlines()
    lots = TaxLots(Method(name))

    outcomes = lots.fold(_moved(map(_told, STORY.strip().splitlines())))

    said = [
        _said(each)
        for each in outcomes
        if isinstance(each, Disposal) or each.change_minor < 0
    ]  # fmt: skip
    left, cost = (sum(getattr(lot, what) for lot in lots.open()) for what in (
        "left_minor", "cost_minor"))  # fmt: skip
    said.append(f"left {_shown(left)} at {_shown(cost)}")
    assert said == [line.strip() for line in lines]


def test_what_came_before_the_first_price_enters_at_it() -> None:
    lots = TaxLots(Method.FIFO)

    outcomes = lots.fold(_moved([
        (TRANSFER, 3, 0, 0), (TRANSFER, 4, 0, 0), (VALUED, 0, 100, 0), (TRADE, -5, 90, 1),
    ]))  # fmt: skip

    sales = [each for each in outcomes if isinstance(each, Disposal)]
    assert [(each.quantity_minor, each.proceeds_minor, each.cost_minor) for each in sales] == [
        (3, 54, 42), (2, 36, 29),
    ]  # fmt: skip
    assert sum(each.fees_minor for each in sales) == 1
    assert [(lot.left_minor, lot.cost_minor) for lot in lots.open()] == [(2, 29)]


AMOUNT = st.integers(1, 10**12)
# A kind, how much of what is held leaves in per cent (nothing: something comes), value and fee.
STEP = st.tuples(
    st.sampled_from([TRADE, TRADE, TRANSFER]), st.integers(-100, 100), AMOUNT, AMOUNT,
    st.integers(0, 10**6),
)  # fmt: skip
HISTORY = st.lists(STEP, min_size=1, max_size=25)
Step = tuple[int, int, int, int, int]
PATIENT = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)


def _possible(steps: list[Step]) -> list[tuple[int, int, int, int]]:
    """Purchases, sales and transfers that never take out more than there is."""
    rows, held = [], 0
    for kind, percent, quantity, value, fee in steps:
        leaves = percent > 0 and held > 0
        change = -max(1, held * percent // 100) if leaves else quantity
        held += change
        rows.append((kind, change, value, fee if kind == TRADE else 0))
    return rows


@PATIENT
@given(HISTORY, st.sampled_from(list(Method)))
def test_nothing_is_made_of_nothing_and_nothing_is_lost(steps: list[Step], method: Method) -> None:
    rows = _possible(steps)
    lots, moved = TaxLots(method), _moved(rows)

    outcomes = list(lots.fold(moved))

    sales = [each for each in outcomes if isinstance(each, Disposal)]
    passages = [each for each in outcomes if isinstance(each, Passage)]
    for each in moved:
        parts = [sale for sale in sales if sale.id == each.id]
        if each.kind == TRADE and each.change_minor < 0:
            assert sum(part.quantity_minor for part in parts) == -each.change_minor
            assert sum(part.proceeds_minor for part in parts) == each.value_minor
    paid = sum(value + fee for kind, change, value, fee in rows if change > 0)
    sold_fees = sum(fee for kind, change, value, fee in rows if change < 0)
    gone = sum(each.cost_minor + each.fees_minor for each in sales) - sold_fees
    left = sum(each.basis_minor for each in passages if each.change_minor < 0)
    assert paid == gone + left + sum(lot.cost_minor for lot in lots.open())
    assert sum(lot.left_minor for lot in lots.open()) == sum(change for _, change, _, _ in rows)
    assert all(each.cost_minor >= 0 and each.fees_minor >= 0 for each in sales)


@PATIENT
@given(HISTORY)
def test_once_all_is_sold_every_method_has_the_same_sum(steps: list[Step]) -> None:
    trades = _possible([(TRADE, *step[1:]) for step in steps])
    trades.append((TRADE, -sum(change for _, change, _, _ in trades), 10**9, 5))
    trades = [row for row in trades if row[1]]

    sums = {
        method: sum(
            each.gain_minor
            for each in TaxLots(method).fold(_moved(trades))
            if isinstance(each, Disposal)
        )
        for method in Method
    }

    received = sum(value for _, change, value, _ in trades if change < 0)
    spent = sum(value for _, change, value, _ in trades if change > 0)
    assert set(sums.values()) == {received - spent - sum(fee for *_, fee in trades)}
