"""Losses are stopped once, old prices judge nobody, staff lift what they may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.errors import Conflict, Invalid, NotAllowed
from apps.engine.messages import BLOCKED, BUY, GTC, LIMIT, OpenBlock, SubmitBlock, Terms
from apps.markets.queries import instrument_by_symbol
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.matching.queries import projected_seq
from apps.trades.models import Order
from apps.trades.risk import events, marks, watch
from apps.trades.risk.actions import (
    lift_restriction,
    restrict_account,
    set_house_limits,
)
from apps.trades.risk.models import Restriction, RiskState
from apps.trades.risk.presentation import words_of
from apps.trades.risk.queries import limits_of, losses_of, standing_of
from apps.trades.risk.rules import KILL, ONLY_SELL, LimitSet
from apps.trades.surveillance import overview
from tests.factories import Trader, house, listed, staff, trader
from tests.trades.risk.acting import DAY, NOON, USDT, own, refusal_of

pytestmark = pytest.mark.django_db


def test_who_has_lost_his_days_limit_may_only_sell_until_the_day_is_over(
    ada: Trader, mark: Any
) -> None:
    own(ada, max_daily_loss_minor=100 * USDT)
    resting_buy = ada.buy("0.001", "40000")
    resting_sell = ada.sell("0.001", "60000")
    watch.look_once(now=NOON)
    # 0.1 BTC at 49,000.01 has lost 99.999, at 49,000 it has lost 100.
    mark("49000.01")
    watch.look_once(now=NOON)
    assert refusal_of(ada) == ""
    mark("49000")

    for second in range(3):
        watch.look_once(now=NOON + timedelta(seconds=second))

    (restriction,) = Restriction.objects.all()
    assert (restriction.cause, restriction.measured, restriction.limit) == (
        "daily_loss", 100 * USDT, 100 * USDT,
    )  # fmt: skip
    assert restriction.until == datetime(2026, 11, 22, tzinfo=UTC)
    assert refusal_of(ada) == "reduce_only"
    assert refusal_of(ada, side="sell", price="61000") == ""
    status = dict(Order.objects.values_list("id", "status"))
    assert (status[resting_buy.id], status[resting_sell.id]) == ("cancelled", "open")
    assert Order.objects.get(id=resting_buy.id).reason == "reduce_only"

    watch.look_once(now=datetime(2026, 11, 22, tzinfo=UTC))

    assert standing_of(viewer=ada.user).state == 1
    assert refusal_of(ada) == ""


def test_a_breach_kills_where_that_was_chosen(ada: Trader, mark: Any) -> None:
    """As the house's limit, or as one's own; nothing stays open, and the day ends it."""
    own(ada, max_daily_loss_minor=100 * USDT, breach_action=KILL)
    resting_sell = ada.sell("0.01", "60000")
    watch.look_once(now=NOON)
    mark("49000")
    watch.look_once(now=NOON)

    restriction = Restriction.objects.get()
    assert (restriction.state, restriction.cause, restriction.own_limit) == (
        BLOCKED, "daily_loss", True,
    )  # fmt: skip
    assert refusal_of(ada, side="sell", price="61000") == "account_blocked"
    ended = Order.objects.get(id=resting_sell.id)
    assert (ended.status, ended.reason) == ("cancelled", "kill")
    assert "You can trade again when the day" in words_of(restriction)

    watch.look_once(now=datetime(2026, 11, 22, tzinfo=UTC))

    assert refusal_of(ada) == ""


def test_what_a_breach_does_is_loosened_after_a_day_and_never_past_the_house(ada: Trader) -> None:
    boss = staff()
    own(ada, breach_action=KILL)

    own(ada, breach_action=ONLY_SELL)
    found = limits_of(viewer=ada.user)
    assert (found.own.breach_action, found.later_at) == (KILL, NOON + DAY)
    assert (found.house.breach_action, found.effective.breach_action) == (ONLY_SELL, KILL)

    set_house_limits(actor=boss, account=ada.account, wanted=LimitSet(breach_action=KILL), now=NOON)
    with pytest.raises(Invalid) as refused:
        own(ada, breach_action=ONLY_SELL)
    assert refused.value.data["field"] == "on_breach"


def test_the_houses_limit_goes_further_than_ones_own(ada: Trader, mark: Any) -> None:
    """Who may only sell for a day by his own limit is stopped for good by the house's."""
    boss = staff()
    house_has = LimitSet(max_drawdown_bps=1_000, breach_action=KILL)
    set_house_limits(actor=boss, account=ada.account, wanted=house_has, now=NOON)
    own(ada, max_drawdown_bps=100)
    watch.look_once(now=NOON)
    mark("45000")
    watch.look_once(now=NOON)
    assert refusal_of(ada) == "reduce_only"

    mark("30000")
    watch.look_once(now=NOON)
    watch.look_once(now=NOON)

    first, second = Restriction.objects.order_by("id")
    assert (first.own_limit, first.lifted_at, first.lifted_by) == (True, NOON, None)
    assert first.lift_reason == "The house's limit was reached, too."
    assert (second.own_limit, second.state, second.until) == (False, BLOCKED, None)
    assert refusal_of(ada, side="sell", price="31000") == "account_blocked"
    watch.look_once(now=NOON + 2 * DAY)
    assert Restriction.objects.filter(lifted_at=None).get() == second


def test_what_was_lost_since_midnight_counts_when_the_day_before_is_lifted_late(
    ada: Trader, mark: Any
) -> None:
    own(ada, max_daily_loss_minor=100 * USDT)
    watch.look_once(now=NOON)
    mark("49000")
    watch.look_once(now=NOON)
    midnight = datetime(2026, 11, 22, tzinfo=UTC)

    # So many days end at midnight that this one has to wait.
    with pytest.MonkeyPatch.context() as crowded:
        crowded.setattr(watch, "DUE_PER_PASS", 0)
        watch.look_once(now=midnight)
    mark("48000.5")
    watch.look_once(now=midnight + timedelta(seconds=2))
    assert refusal_of(ada) == ""
    mark("48000")
    watch.look_once(now=midnight + timedelta(seconds=3))

    again = Restriction.objects.get(lifted_at=None)
    assert (again.measured, again.since) == (100 * USDT, midnight + timedelta(seconds=3))


def test_a_drawdown_is_measured_from_the_highest_value(ada: Trader, mark: Any) -> None:
    own(ada, max_drawdown_bps=500)
    watch.look_once(now=NOON)
    mark("60000")
    watch.look_once(now=NOON)
    # From 10,995 it may fall by 549.75: to 54,502.50 a BTC.
    mark("54502.51")
    watch.look_once(now=NOON)
    assert not Restriction.objects.exists()
    mark("54502.5")
    watch.look_once(now=NOON)

    restriction = Restriction.objects.get()
    assert (restriction.cause, restriction.measured, restriction.own_limit) == (
        "drawdown", 500, True,
    )  # fmt: skip
    assert restriction.until == NOON + DAY

    watch.look_once(now=NOON + DAY)
    watch.look_once(now=NOON + DAY)

    # What was lost until then counts no more.
    assert Restriction.objects.filter(lifted_at=None).count() == 0
    assert refusal_of(ada) == ""


def test_a_drawdown_past_the_houses_limit_is_lifted_by_staff_alone(ada: Trader, mark: Any) -> None:
    boss = staff()
    set_house_limits(
        actor=boss, account=ada.account, wanted=LimitSet(max_drawdown_bps=500), now=NOON
    )
    watch.look_once(now=NOON)
    mark("40000")
    watch.look_once(now=NOON)
    restriction = Restriction.objects.get()

    watch.look_once(now=NOON + 30 * DAY)
    assert refusal_of(ada) == "reduce_only"
    with pytest.raises(NotAllowed):
        lift_restriction(actor=ada.user, restriction=restriction, reason="Please.", now=NOON)
    with pytest.raises(Invalid):
        lift_restriction(actor=boss, restriction=restriction, reason=" ", now=NOON)
    lift_restriction(actor=boss, restriction=restriction, reason="We spoke.", now=NOON)
    watch.look_once(now=NOON)

    lifted = Restriction.objects.get()
    assert (lifted.lifted_by_id, lifted.lift_reason) == (boss.pk, "We spoke.")
    assert refusal_of(ada) == ""
    with pytest.raises(Conflict):
        lift_restriction(actor=boss, restriction=restriction, reason="Again.", now=NOON)


def test_old_prices_judge_nobody(ada: Trader, mark: Any) -> None:
    own(ada, max_daily_loss_minor=100 * USDT)
    watch.look_once(now=clock.now())
    before = projected_seq()
    bob = trader(USDT="10000", BTC="1")
    bob.buy("0.001", "46000")
    trader(BTC="1").sell("0.001", "46000")
    assert projected_seq() > before
    later = clock.now() + timedelta(seconds=11)

    # The books' publisher is silent, and the trade at 46,000 is eleven seconds old.
    mark(None)
    watch.look_once(now=later)

    assert not Restriction.objects.exists()
    assert losses_of(viewer=ada.user, now=later).judged is False
    mark("46000")
    watch.look_once(now=later)
    assert Restriction.objects.count() == 1


def test_a_trade_is_a_mark_for_ten_seconds(ada: Trader, mark: Any) -> None:
    mark(None)

    found = marks.look_at_marks(now=clock.now())

    assert [(each.price_ticks, each.fresh) for each in found] == [(5_000_000, True)]


def test_paying_in_and_out_is_no_profit_and_no_loss(ada: Trader, mark: Any) -> None:
    own(ada, max_daily_loss_minor=100 * USDT, max_drawdown_bps=100)
    watch.look_once(now=NOON)

    from tests.factories import fund

    fund(ada.account, "USDT", "90000")
    fund(ada.account, "BTC", "0.5")
    watch.look_once(now=NOON)
    mark("49900")
    watch.look_once(now=NOON)

    found = losses_of(viewer=ada.user, now=NOON)
    assert found.day_loss_minor == 60 * USDT
    assert found.equity_minor == (4_995 + 90_000) * USDT + 6 * 4_990 * USDT
    assert not Restriction.objects.exists()


def test_coins_from_before_the_first_price_make_no_profit_and_no_drawdown(mark: Any) -> None:
    house()
    listed()
    early, buyer = trader(USDT="10000", BTC="1"), trader(USDT="10000")
    # There are offers already, and nobody has traded.
    watch.look_once(now=NOON)
    before = losses_of(viewer=early.user, now=NOON)

    early.sell("0.01", "50000")
    buyer.buy("0.01", "50000")
    watch.look_once(now=NOON)

    after = losses_of(viewer=early.user, now=NOON)
    assert (before.equity_minor, before.day_result_minor) == (10_000 * USDT, 0)
    # What it paid as maker is all that it has lost.
    assert (after.day_loss_minor, after.drawdown_bps) == (USDT * 2 // 5, 0)
    assert after.equity_minor == 60_000 * USDT - USDT * 2 // 5


def test_apps_above_hear_of_a_breach_once(
    ada: Trader, mark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr(events, "_hearers", [lambda each: heard.append(each.account_id)])
    own(ada, max_daily_loss_minor=100 * USDT)
    watch.look_once(now=NOON)
    mark("40000")

    for _ in range(3):
        watch.look_once(now=NOON)

    assert heard == [ada.account.id]


def test_who_has_nothing_at_risk_is_not_looked_at(ada: Trader, mark: Any) -> None:
    trader(USDT="1000")

    # Ada, and the one who sold to her.
    assert watch.look_once(now=clock.now()) == 2
    assert RiskState.objects.count() == 2


def test_a_pass_costs_the_same_for_one_account_and_for_many(
    ada: Trader, mark: Any, django_assert_num_queries: Any
) -> None:
    watch.look_once(now=NOON)
    for _ in range(5):
        trader(BTC="1")
    watch.look_once(now=NOON)

    with django_assert_num_queries(9):
        watch.look_once(now=NOON)


def test_what_a_block_has_in_escrow_is_still_its_owners(ada: Trader, mark: Any) -> None:
    own(ada, max_drawdown_bps=300)
    watch.look_once(now=NOON)
    market = instrument_by_symbol("BTC-USDT")
    terms = Terms(market.id, BUY, LIMIT, GTC, 10_000, price_ticks=4_800_000)
    ada.buy("0.001", "45000")
    submit_opened(ada, terms)
    mark("48000")

    watch.look_once(now=NOON)
    losses = losses_of(viewer=ada.user, account=ada.account, now=NOON)

    # Two hundred of ten thousand less the fee, of which nearly five thousand are in escrow.
    assert ada.has("USDT")[0] < 200 * USDT
    assert losses is not None
    assert (losses.equity_minor, losses.drawdown_bps) == (979_500_000_000, 200)
    assert not Restriction.objects.exists()


def submit_opened(ada: Trader, terms: Terms) -> None:
    def head() -> tuple[bytes, int]:
        return new_command_id(), valid_until_ns(5)

    opened = OpenBlock(*head(), 7, ada.account.id, "lead", terms)
    replies = get_gateway().submit_many([opened, SubmitBlock(*head(), 7)])
    assert [reply.rejected for reply in replies] == [None, None]


def test_one_who_holds_more_than_a_number_can_say_keeps_nobody_unwatched(
    ada: Trader, mark: Any
) -> None:
    own(ada, max_daily_loss_minor=500 * USDT)
    trader(BTC="30000000000")
    watch.look_once(now=NOON)
    mark("40000")

    watch.look_once(now=NOON)

    assert Restriction.objects.get().account_id == ada.account.id
    assert overview(now=NOON).exposures[0].holdings_minor == 2**60


def test_staff_block_an_account_and_all_its_orders_are_gone(ada: Trader) -> None:
    ada.buy("0.001", "40000")
    ada.sell("0.001", "60000")
    boss = staff()

    placed = restrict_account(
        actor=boss, account=ada.account, state=3, reason="Stolen card.", now=NOON
    )

    assert refusal_of(ada) == refusal_of(ada, side="sell", price="61000") == "account_blocked"
    assert set(Order.objects.filter(account=ada.account).values_list("status", flat=True)) == {
        "filled", "cancelled",
    }  # fmt: skip
    with pytest.raises(Conflict):
        restrict_account(actor=boss, account=ada.account, state=2, reason="More.", now=NOON)
    lift_restriction(actor=boss, restriction=placed, reason="It was not.", now=NOON)
    assert refusal_of(ada) == ""
