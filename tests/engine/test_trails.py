"""Trailing stops are found when a price crosses them, and a price change walks over none."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.engine.messages import BUY, GTC, SELL, TRAILING_STOP, Special, Terms, Triggered
from apps.engine.rates import trail_distance_ticks
from apps.engine.trails import Trails
from tests.engine.venue import MARKET_ID, Venue, market

PRICES = st.integers(80, 120)
DISTANCES = st.one_of(
    st.tuples(st.integers(1, 30), st.just(0)), st.tuples(st.just(0), st.integers(1, 5_000))
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), PRICES),
        st.tuples(st.just("enters"), DISTANCES),
        st.tuples(st.just("leaves"), st.integers(0, 100)),
        st.tuples(st.just("waits on"), st.integers(0, 100)),
    ),
    max_size=120,
)


@given(steps=STEPS, sign=st.sampled_from((1, -1)))
def test_a_price_finds_the_orders_that_it_crosses_and_each_once(
    steps: list[Any], sign: int
) -> None:
    trails = Trails(sign)
    last = 100
    best: dict[int, int] = {}
    distance: dict[int, tuple[int, int]] = {}
    found: set[int] = set()
    for number, (what, value) in enumerate(steps):
        if what == "enters":
            best[number], distance[number] = last, value
            trails.add(number, last, *value)
        elif what == "leaves" and best:
            gone = sorted(best)[value % len(best)]
            trails.remove(gone)
            found.discard(gone)
            del best[gone], distance[gone]
        elif what == "waits on" and found:
            again = sorted(found)[value % len(found)]
            trails.wait(again, *distance[again])
            found.remove(again)
        elif what == "price":
            last = value
            trails.see(last)

        better = max if sign > 0 else min
        best = {order_id: better(price, last) for order_id, price in best.items()}
        crossed = [
            order_id
            for order_id, price in best.items()
            if (price - sign * trail_distance_ticks(price, *distance[order_id]) - last) * sign >= 0
        ]
        expected = [order_id for order_id in crossed if order_id not in found]

        assert sorted(trails.crossed(last)) == expected
        assert {order_id: trails.best_ticks(order_id) for order_id in best} == best
        found.update(expected)


def test_orders_that_come_and_go_leave_nothing_behind() -> None:
    trails = Trails(1)
    trails.add(0, 1_000, 900, 0)

    for order_id in range(1, 10_000):
        trails.see(1_000 + order_id)
        trails.add(order_id, 1_000 + order_id - order_id % 2, 500, 0)
        trails.remove(order_id)

    assert len(trails.runs) == len(trails.starts) == 1
    assert len(trails.nearest) <= 20
    assert sum(len(run.by_ticks) + len(run.by_bps) for run in trails.runs) <= 20
    assert trails.number_of == {0: 0}
    assert trails.order_id_of == {0: 0}


@pytest.mark.needs_source
def test_a_price_change_does_not_walk_over_the_distances() -> None:
    assert _calls_of_price_changes(2_000) <= 1.1 * _calls_of_price_changes(50)


def test_trailing_stops_that_became_active_at_many_prices_wake_oldest_first() -> None:
    venue = Venue(market(band_bps=9_000))
    venue.trade_at(1_000)
    for number in range(40):
        _trail(venue, f"seller {number}", SELL, 100 + number % 7)
        venue.trade_at(1_000 - number)
    venue.again()

    venue.buy("bidder", 100, 800)
    events = venue.sell("faller", 1, 800)

    woken = [venue.name(event.account_id) for event in events if isinstance(event, Triggered)]
    assert woken == [f"seller {number}" for number in range(40)]


def _trail(venue: Venue, name: str, side: int, ticks: int) -> None:
    terms = Terms(MARKET_ID, side, TRAILING_STOP, GTC, 1, special=Special(trail_ticks=ticks))
    venue.place(name, terms)


def _calls_of_price_changes(distances: int) -> int:
    """How many functions of the engine twenty price changes call."""
    venue = Venue(market(band_bps=9_000))
    venue.trade_at(100_000)
    for number in range(distances):
        _trail(venue, f"seller {number % 50}", SELL, 20_000 + number)
        _trail(venue, f"buyer {number % 50}", BUY, 20_000 + number)
    count = 0

    def count_call(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        for change in range(-10, 10):
            venue.trade_at(100_000 + change)
    finally:
        sys.setprofile(None)
    assert venue.engine.books[MARKET_ID].last_ticks == 100_009
    return count
