"""Limits, losses and drawdowns as arithmetic."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.trades.risk.rules import (
    KILL,
    ONLY_SELL,
    Breach,
    Figures,
    LimitSet,
    Memory,
    advance,
    breaches,
    day_loss_minor,
    drawdown_bps,
    looser_names,
    middle_ticks,
    narrower,
    wider_than_house,
)

TODAY, TOMORROW = date(2026, 11, 21), date(2026, 11, 22)
NONE = LimitSet()


def test_the_narrower_limit_is_the_smaller_number_and_none_is_none() -> None:
    house = LimitSet(max_open_orders=200, max_daily_loss_minor=50)
    own = LimitSet(max_open_orders=20, max_daily_loss_minor=70, max_drawdown_bps=500)

    assert narrower(house, own) == LimitSet(
        max_open_orders=20, max_daily_loss_minor=50, max_drawdown_bps=500
    )


def test_a_limit_that_is_taken_away_is_looser() -> None:
    before = LimitSet(max_open_orders=20, max_daily_loss_minor=70)

    assert looser_names(LimitSet(max_open_orders=20), before) == ["max_daily_loss_minor"]
    assert looser_names(LimitSet(max_open_orders=21, max_daily_loss_minor=70), before) == [
        "max_open_orders"
    ]
    assert looser_names(LimitSet(max_open_orders=19, max_daily_loss_minor=1), before) == []
    assert wider_than_house(LimitSet(max_daily_loss_minor=71), before) == ["max_daily_loss_minor"]
    assert wider_than_house(NONE, before) == []


def test_the_first_look_is_where_everything_begins() -> None:
    memory = advance(None, Figures(1_000, -30), TODAY)

    assert memory == Memory(TODAY, -30, -30, 1_030)
    assert day_loss_minor(memory, Figures(1_000, -30)) == 0


def test_a_loss_counts_from_the_beginning_of_the_day_and_the_peak_from_any_day() -> None:
    memory = advance(None, Figures(1_000, 0), TODAY)
    memory = advance(memory, Figures(1_100, 100), TODAY)
    fallen = Figures(990, -10)
    memory = advance(memory, fallen, TODAY)

    assert (day_loss_minor(memory, fallen), drawdown_bps(memory, fallen)) == (10, 1_000)

    memory = advance(memory, fallen, TOMORROW)

    assert (day_loss_minor(memory, fallen), drawdown_bps(memory, fallen)) == (0, 1_000)


@pytest.mark.parametrize("flow", [-800, -500, 500, 9_000])
def test_money_that_comes_or_goes_is_neither_loss_nor_drawdown(flow: int) -> None:
    memory = advance(None, Figures(1_000, 0), TODAY)
    memory = advance(memory, Figures(900, -100), TODAY)
    after = Figures(900 + flow, -100)

    memory = advance(memory, after, TODAY)

    assert day_loss_minor(memory, after) == 100
    # Ten per cent before, and after, up to the part that is cut off.
    assert 990 <= drawdown_bps(memory, after) <= 1_000


@given(
    equity=st.integers(1, 10**15), drop=st.integers(0, 10**15), flows=st.lists(
        st.integers(-(10**14), 10**15), max_size=5
    )
)  # fmt: skip
def test_no_flow_raises_a_drawdown(equity: int, drop: int, flows: list[int]) -> None:
    memory = Memory(TODAY, 0, drop, equity)
    figures = Figures(equity, 0)
    before = drawdown_bps(memory, figures)

    for flow in flows:
        figures = Figures(max(0, figures.equity_minor + flow), 0)
        memory = advance(memory, figures, TODAY)

    assert drawdown_bps(memory, figures) <= before


def test_a_limit_is_breached_when_it_is_reached() -> None:
    memory = Memory(TODAY, 0, 0, 1_000)
    figures = Figures(900, -100)

    def found(house: LimitSet, own: LimitSet) -> list[Breach]:
        return list(breaches(memory, figures, house=house, own=own))

    assert found(NONE, LimitSet(max_daily_loss_minor=101, max_drawdown_bps=1_001)) == []
    assert found(NONE, LimitSet(max_daily_loss_minor=100)) == [
        Breach("daily_loss", 100, 100, own_limit=True)
    ]
    assert found(NONE, LimitSet(max_drawdown_bps=1_000)) == [
        Breach("drawdown", 1_000, 1_000, own_limit=True)
    ]
    # Both the house's and one's own: the house's is told, once.
    assert found(LimitSet(max_daily_loss_minor=90), LimitSet(max_daily_loss_minor=50)) == [
        Breach("daily_loss", 100, 90, own_limit=False)
    ]


@pytest.mark.parametrize(
    ("house_does", "own_does", "house_kills", "own_kills"),
    [
        (None, None, False, False),
        (ONLY_SELL, None, False, False),
        (KILL, None, True, False),
        (None, KILL, True, True),
        (KILL, ONLY_SELL, True, False),
    ],
)
def test_an_own_limit_does_what_its_owner_chose_and_the_houses_no_less(
    house_does: int | None, own_does: int | None, house_kills: bool, own_kills: bool
) -> None:
    memory, figures = Memory(TODAY, 0, 0, 1_000), Figures(900, -100)
    house = LimitSet(max_daily_loss_minor=90, breach_action=house_does)
    own = LimitSet(max_drawdown_bps=500, breach_action=own_does)

    found = breaches(memory, figures, house=house, own=own)

    assert [(each.own_limit, each.kills) for each in found] == [
        (False, house_kills), (True, own_kills),
    ]  # fmt: skip


def test_to_be_killed_is_narrower_than_to_sell_only() -> None:
    kills, sells = LimitSet(breach_action=KILL), LimitSet(breach_action=ONLY_SELL)

    assert narrower(kills, sells) == narrower(NONE, kills) == kills
    assert looser_names(sells, kills) == looser_names(NONE, kills) == ["breach_action"]
    assert wider_than_house(sells, kills) == ["breach_action"]


@pytest.mark.parametrize(
    ("bid", "ask", "last", "mark"),
    [
        (99, 101, 100, 100), (99, 101, 150, 101), (99, 101, 50, 99), (99, 102, None, None),
        (None, 101, 100, None), (99, None, 100, None), (None, None, None, None),
    ],
)  # fmt: skip
def test_a_mark_is_the_last_price_between_bid_and_ask(
    bid: int | None, ask: int | None, last: int | None, mark: int | None
) -> None:
    assert middle_ticks(bid, ask, last) == mark
