"""Limits hold in the engine, and are loosened later than they are narrowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from apps.trades.risk import actions, watch
from apps.trades.risk.actions import (
    restrict_account,
    set_house_limits,
    set_own_limits,
)
from apps.trades.risk.queries import limits_of, standing_of
from apps.trades.risk.rules import LimitSet
from tests.factories import Trader, staff, trader
from tests.trades.risk.acting import DAY, NOON, USDT, own, refusal_of

pytestmark = pytest.mark.django_db


def test_ones_own_limit_holds_at_once_in_the_engine(ada: Trader) -> None:
    own(ada, max_order_value_minor=40 * USDT, max_open_orders=1)

    assert refusal_of(ada) == "max_order_value"
    assert refusal_of(ada, quantity="0.0008") == ""
    assert refusal_of(ada, quantity="0.0008", price="48000") == "max_open_orders"
    found = limits_of(viewer=ada.user)
    assert found.effective.max_order_value_minor == 40 * USDT
    assert (found.house.max_open_orders, found.effective.max_open_orders) == (200, 1)
    assert found.effective.orders_per_second == 100


def test_a_wider_limit_of_ones_own_waits_a_day(ada: Trader) -> None:
    own(ada, max_order_value_minor=40 * USDT, max_open_orders=5)

    own(ada, NOON, max_order_value_minor=60 * USDT, max_open_orders=3)
    found = limits_of(viewer=ada.user)

    assert found.own == LimitSet(max_order_value_minor=40 * USDT, max_open_orders=3)
    assert found.later == LimitSet(max_order_value_minor=60 * USDT, max_open_orders=3)
    assert found.later_at == NOON + DAY
    assert refusal_of(ada) == "max_order_value"

    watch.look_once(now=NOON + DAY - timedelta(seconds=1))
    assert refusal_of(ada) == "max_order_value"
    watch.look_once(now=NOON + DAY)

    assert refusal_of(ada) == ""
    after = limits_of(viewer=ada.user)
    assert (after.own, after.later) == (found.later, None)


def test_asking_again_neither_restarts_nor_shortens_the_day(ada: Trader) -> None:
    own(ada, max_daily_loss_minor=100)
    later = NOON + timedelta(hours=10)

    own(ada, NOON, max_daily_loss_minor=200)
    own(ada, later, max_daily_loss_minor=200)
    same = limits_of(viewer=ada.user).later_at
    own(ada, later, max_daily_loss_minor=150)
    less = limits_of(viewer=ada.user).later_at
    own(ada, later, max_daily_loss_minor=300)
    more = limits_of(viewer=ada.user).later_at
    own(ada, later, max_daily_loss_minor=100)

    assert (same, less, more) == (NOON + DAY, NOON + DAY, later + DAY)
    assert limits_of(viewer=ada.user).later is None


def test_ones_own_limit_is_never_wider_than_the_houses(ada: Trader) -> None:
    set_house_limits(
        actor=staff(), account=ada.account, wanted=LimitSet(max_daily_loss_minor=50), now=NOON
    )

    with pytest.raises(Invalid) as refused:
        own(ada, max_daily_loss_minor=51)

    assert (refused.value.code, refused.value.data["field"]) == (
        "looser_than_house", "max_daily_loss",
    )  # fmt: skip
    assert limits_of(viewer=ada.user).own == LimitSet()


def test_limits_of_others_cannot_be_set(ada: Trader) -> None:
    bob = trader()

    with pytest.raises(NotFound):
        set_own_limits(actor=bob.user, account=ada.account, wanted=LimitSet(), now=NOON)
    with pytest.raises(NotAllowed):
        set_house_limits(actor=bob.user, account=ada.account, wanted=LimitSet(), now=NOON)


def test_the_engine_is_told_later_where_it_is_away(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def submit(self, command: object) -> None:
            raise Unavailable("engine_unavailable", "Away.")

    with monkeypatch.context() as away:
        away.setattr(actions, "get_gateway", Away)
        own(ada, max_order_value_minor=40 * USDT)
        applied = standing_of(viewer=ada.user).applied
    assert not applied
    assert refusal_of(ada, quantity="0.002") == ""

    watch.look_once(now=NOON)

    assert standing_of(viewer=ada.user).applied
    assert refusal_of(ada) == "max_order_value"


def test_an_engine_that_is_away_is_asked_once_in_a_pass(
    ada: Trader, mark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    class Away:
        def submit(self, command: object) -> None:
            tries.append(command)
            raise Unavailable("engine_unavailable", "Away.")

    others = [ada, trader(USDT="10"), trader(USDT="10")]
    monkeypatch.setattr(actions, "get_gateway", Away)
    for each in others:
        own(each, max_open_orders=5)
    tries.clear()

    looked_at = watch.look_once(now=NOON)

    assert (len(tries), looked_at) == (1, 2)


def test_a_restriction_that_another_pass_has_lifted_stops_nobody_elses(
    ada: Trader, mark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faster(**_: object) -> None:
        raise Conflict("already_lifted", "Another pass was faster.")

    own(ada, max_daily_loss_minor=100 * USDT)
    watch.look_once(now=NOON)
    mark("40000")
    watch.look_once(now=NOON)
    monkeypatch.setattr(watch, "lift_restriction", faster)

    assert watch.look_once(now=NOON + DAY) == 2


def test_a_change_of_limits_lifts_no_restriction(ada: Trader) -> None:
    boss = staff()
    restrict_account(actor=boss, account=ada.account, state=2, reason="A question.", now=NOON)

    own(ada, max_open_orders=100)

    assert refusal_of(ada) == "reduce_only"
