"""What holdings are worth, now and over time, against sums done by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.core.errors import NotFound
from apps.markets.rules import worth_minor
from apps.pages.presentation import chart_of, parts_of, summary_of
from apps.pages.queries import (
    RANGES,
    History,
    Holdings,
    fitting_range,
    holdings_for,
    range_of,
    value_history,
    value_text,
)
from apps.pages.rules import Flow, asked_from, balances_by_step, share_bps, shares_of_1000
from apps.wallets.queries import flows
from tests.factories import Trader, fund, listed, person, trader

UNIT = 10**8


class Market:
    """One lot is 0.001 of the base; one tick times one lot is 1,000 minor units of the quote."""

    lot_minor = 100_000
    tick_lot_minor = 1_000


def test_worth_is_exact_and_cut_off() -> None:
    assert worth_minor(UNIT, 6_000_000, Market()) == 6_000_000 * 1_000 * 1_000
    assert worth_minor(99_999, 1, Market()) == 999
    assert worth_minor(0, 5, Market()) == 0


def test_shares_of_nothing_are_nothing() -> None:
    assert share_bps(1, 0) == 0
    assert share_bps(1, 3) == 3333
    assert shares_of_1000([]) == []
    assert shares_of_1000([0, 0]) == [0, 0]


@pytest.mark.parametrize(
    ("parts", "shares"),
    [
        ([7], [1000]),
        ([1, 1, 1], [334, 333, 333]),
        ([100_000_00, 99_896_31, 34_955_80], [426, 425, 149]),
        ([999_999, 1], [1000, 0]),
    ],
)
def test_shares_are_rounded_so_that_they_are_the_whole(parts: list[int], shares: list[int]) -> None:
    assert shares_of_1000(parts) == shares


@pytest.mark.parametrize(
    ("whole", "asked"),
    [
        (0, 10),
        (99, 10),
        (240, 20),
        (1_999, 100),
        (20_000, 2_000),
        (50_000, 5_000),
        (235_000, 20_000),
    ],
)
def test_orders_are_asked_about_from_a_round_tenth_on(whole: int, asked: int) -> None:
    assert asked_from(whole) == asked


def test_balances_are_counted_back_from_now() -> None:
    moved = [Flow(1, 1, "deposit", 100), Flow(3, 1, "fee", -7), Flow(3, 1, "trade", -20)]

    assert balances_by_step(5, 73, moved) == [0, 100, 100, 73, 73]


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
class TestHoldings:
    def test_holdings_are_valued_at_the_last_price(self, world: Trader) -> None:
        found = holdings_for(viewer=world.user)

        worths = {row.balance.asset.code: row.worth_minor for row in found.rows}
        # Bought 0.5 BTC for 30,000 and 2 ETH for 0.1 BTC; fees are 0.1 % of each.
        assert worths == {
            "USDT": (100_000 - 30_000 - 30) * UNIT,
            "BTC": (150_000_000 - 10_000_000 - 10_000) * 60_000,
            "ETH": 0,
        }
        assert found.total_minor == sum(worths.values())
        assert [part.code for part in parts_of(found)] == ["BTC", "USDT"]

    def test_nobody_sees_the_flows_of_somebody_else(self, world: Trader) -> None:
        stranger = trader()

        since = clock.now() - timedelta(hours=1)
        step = timedelta(minutes=1)
        assert flows(viewer=world.user, account=world.account, since=since, step=step)
        assert flows(viewer=stranger.user, account=world.account, since=since, step=step) == []
        with pytest.raises(NotFound):
            flows(viewer=None, account=world.account, since=since, step=step)

    def test_history_splits_the_change_into_paid_in_fees_and_the_rest(self, world: Trader) -> None:
        later = clock.now() + timedelta(minutes=3)
        holdings = holdings_for(viewer=world.user)

        history = value_history(viewer=world.user, holdings=holdings, name="1h", now=later)
        summary = summary_of(history, holdings)

        assert len(history.points) == 4
        assert history.points[-1][1] == holdings.total_minor
        assert history.points[0][1] == holdings.total_minor
        # 100,000 USDT and 1 BTC came in when it was opened, and 30 USDT and 0.0001 BTC were fees.
        assert history.paid_in_minor == (100_000 + 60_000) * UNIT
        assert history.fees_minor == -36 * UNIT
        assert (summary.from_opening, summary.before_text) == (True, "0.00")
        # What it bought in ETH has no price in USDT.
        assert summary.result_text == "-6000.00"
        chart = chart_of(history)
        assert chart.points.startswith("0,100 ")
        assert len(chart.series) == 4

    def test_money_paid_in_is_no_result(self, world: Trader) -> None:
        fund(world.account, "USDT", "500")
        holdings = holdings_for(viewer=world.user)
        # As if the account had been open for long: everything it has came in within the range.
        history = value_history(
            viewer=world.user,
            holdings=type(holdings)(
                holdings.account, clock.now() - timedelta(days=90), holdings.rows,
                holdings.total_minor,
            ),
            name="24h",
            now=clock.now() + timedelta(minutes=5),
        )  # fmt: skip

        assert history.points[0][1] == 0
        # 100,500 USDT and 1 BTC came in.
        assert history.paid_in_minor == (100_500 + 60_000) * UNIT
        # 30 USDT of fees, and 0.0001 BTC.
        assert history.fees_minor == -36 * UNIT
        assert history.points[-1][1] == holdings.total_minor

    def test_who_has_no_account_yet_holds_nothing(self) -> None:
        found = holdings_for(viewer=person())

        if not found.account:
            assert (found.rows, found.total_minor) == ((), 0)
        assert found.total_minor == 0


def test_the_sums_of_the_last_day_add_up_to_the_cent() -> None:
    # Given parts of a cent everywhere: cut off one by one they would miss a cent or two.
    history = History(
        RANGES["24h"], ((clock.now(), 10_009_999_999), (clock.now(), 9_990_000_001)),
        from_opening=False, before_minor=10_009_999_999, paid_in_minor=1_999_999,
        fees_minor=-999_999,
    )  # fmt: skip

    summary = summary_of(history, Holdings("", None, (), 9_990_000_001))

    assert (summary.before_text, summary.now_text) == ("100.09", "99.90")
    assert (summary.paid_in_text, summary.fees_text) == ("0.01", "0.00")
    assert summary.result_text == "-0.20"


def test_the_range_fits_the_age_of_the_account() -> None:
    now = clock.now()

    assert fitting_range(now - timedelta(minutes=5), now) == "1h"
    assert fitting_range(now - timedelta(hours=5), now) == "24h"
    assert fitting_range(now - timedelta(days=3), now) == "7d"
    assert fitting_range(now - timedelta(days=400), now) == "30d"


@pytest.mark.parametrize(
    ("minor", "text"),
    [(0, "0.00"), (UNIT, "1.00"), (-UNIT, "-1.00"), (199_999_999, "1.99"), (-1, "0.00")],
)
def test_values_show_two_decimals_cut_off(minor: int, text: str) -> None:
    assert value_text(minor) == text


def test_positions_say_what_was_paid_and_what_it_made(signed_in: Client, world: Trader) -> None:
    fund(world.account, "USDT", "1000")

    page = signed_in.get("/portfolio")
    desk = signed_in.get("/trade/BTC-USDT?tab=positions")

    # 1 BTC of the beginning and 0.5 bought for 30,000, less 0.1 and its fee of 0.0001 for the ETH.
    bitcoin, ether = page.context["positions"]
    assert (bitcoin["quantity"], bitcoin["cost"], bitcoin["realised"], bitcoin["fees"]) == (
        "1.39990000", "83994.00", "0.00", "30.00",
    )  # fmt: skip
    assert (ether["quantity"], ether["cost"], ether["price"]) == ("2.000000", "6000.00", None)
    assert ether["fees"] == "6.00"
    assert page.context["totals"]["fees"] == "36.00"
    assert "83,994.00" in page.content.decode()
    assert [row["asset"] for row in desk.context["positions"]] == ["BTC", "ETH"]


@pytest.mark.parametrize(
    ("age", "interval", "steps"),
    [
        (timedelta(minutes=5), "1m", 6),
        (timedelta(hours=20), "5m", 241),
        (timedelta(days=10), "1h", 241),
        (timedelta(days=40), "4h", 241),
        (timedelta(days=300), "1d", 301),
        (timedelta(days=3 * 365), "1w", 157),
    ],
)
def test_all_is_cut_into_few_steps_from_the_opening_on(
    age: timedelta, interval: str, steps: int
) -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    found = range_of("all", now - age, now)

    assert (found.interval, found.steps) == (interval, steps)


@pytest.mark.django_db
def test_a_history_costs_as_much_for_many_holdings_as_for_one(
    world: Trader, django_assert_num_queries: Any
) -> None:
    """The account, what moved, and the prices of everything it has."""
    one = holdings_for(viewer=trader(BTC="1").user)
    listed("ETH-USDT")
    listed("SOL-USDT")
    seller = trader(ETH="1", SOL="100")
    for market, price in (("ETH-USDT", "3000.00"), ("SOL-USDT", "150.00")):
        seller.sell("0.1", price, market=market)
        world.buy("0.1", price, market=market)
    many = holdings_for(viewer=world.user)
    assert [len([row for row in each.rows if row.price]) for each in (one, many)] == [1, 3]

    for viewer, holdings in ((world.user, many), (world.user, one)):
        for name in ("1h", "30d", "all"):
            with django_assert_num_queries(3):
                value_history(viewer=viewer, holdings=holdings, name=name)


@pytest.mark.django_db
def test_the_whole_history_begins_with_the_opening(world: Trader) -> None:
    holdings = holdings_for(viewer=world.user)

    history = value_history(viewer=world.user, holdings=holdings, name="all")

    assert history.from_opening
    assert history.before_minor == 0
    assert history.points[-1][1] == holdings.total_minor
