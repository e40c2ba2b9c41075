"""Limits hold, losses are stopped once, old prices judge nobody, staff lift what they may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound, Unavailable
from apps.engine.messages import BLOCKED, BUY, GTC, LIMIT, OpenBlock, SubmitBlock, Terms
from apps.markets.queries import instrument_by_symbol
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.matching.queries import projected_seq
from apps.trades.models import Order
from apps.trades.risk import actions, events, marks, watch
from apps.trades.risk.actions import (
    lift_restriction,
    restrict_account,
    set_house_limits,
    set_own_limits,
)
from apps.trades.risk.models import Restriction, RiskState
from apps.trades.risk.presentation import words_of
from apps.trades.risk.queries import limits_of, losses_of, standing_of
from apps.trades.risk.rules import KILL, ONLY_SELL, LimitSet
from apps.trades.surveillance import overview
from tests.factories import Trader, house, listed, staff, trader

pytestmark = pytest.mark.django_db

USDT = 100_000_000
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def ada() -> Trader:
    """Ada has bought 0.1 BTC at 50,000; she has 10,000 USDT's worth in all, less the fee."""
    house()
    listed()
    ada, bob = trader(USDT="10000"), trader(USDT="100000", BTC="1")
    bob.sell("0.1", "50000")
    ada.buy("0.1", "50000")
    return ada


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a book, or none, with this one price."""

    def have(price: str | None) -> None:
        levels = [] if price is None else [[price, "1"]]
        book = {"data": {"bids": levels, "asks": levels}}
        monkeypatch.setattr(
            marks, "stored_books",
            lambda symbols: {each: book if price else None for each in symbols},
        )  # fmt: skip

    have("50000")
    return have


def own(ada: Trader, now: datetime = NOON, **limits: int) -> None:
    set_own_limits(actor=ada.user, account=ada.account, wanted=LimitSet(**limits), now=now)


def refusal_of(ada: Trader, **asked: Any) -> str:
    terms = {"side": "buy", "quantity": "0.001", "price": "49000", **asked}
    try:
        ada.place(**terms)
    except DomainError as error:
        return error.code
    return ""


# ------------------------------------------------------------ limits


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


# ------------------------------------------------------------ losses


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


# ------------------------------------------------------------ API


def test_limits_through_the_api(ada: Trader, client: Client) -> None:
    client.force_login(ada.user)
    asked = {"max_daily_loss": "100", "max_drawdown_percent": "12.5", "max_open_orders": 7,
             "on_breach": "kill"}  # fmt: skip

    put = client.put("/api/v1/risk/limits", asked, content_type="application/json")
    found = client.get("/api/v1/risk/limits").json()

    assert put.status_code == 200, put.content
    assert found["own"] == {
        "max_open_orders": 7, "orders_per_second": None, "repeated_orders_per_second": None,
        "max_order_value": None, "max_daily_loss": "100.00", "max_drawdown_percent": "12.50",
        "on_breach": "kill",
    }  # fmt: skip
    assert found["effective"]["max_open_orders"] == 7
    assert (found["house"]["on_breach"], found["effective"]["on_breach"]) == ("reduce_only", "kill")
    assert found["standing"] == {"state": "normal", "applied": True, "restrictions": []}
    assert found["losses"]["day_loss"] == "0.00"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"max_open_orders": "7"}, "invalid_limit"), ({"max_open_orders": 0}, "invalid_limit"),
        ({"max_open_orders": True}, "invalid_limit"), ({"max_open_orders": 1.0}, "invalid_limit"),
        ({"max_daily_loss": "-1"}, "invalid_amount"), ({"max_daily_loss": "0"}, "invalid_amount"),
        ({"max_daily_loss": 5}, "amount_must_be_string"),
        ({"max_drawdown_percent": "100.01"}, "invalid_limit"),
        ({"max_drawdown_percent": "0.001"}, "precision"),
        ({"max_open_orders": 201}, "looser_than_house"),
        ({"leverage": 3}, "unknown_field"), ({"on_breach": "sell"}, "invalid_choice"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(
    ada: Trader, client: Client, body: dict[str, Any], code: str
) -> None:
    client.force_login(ada.user)

    said = client.put("/api/v1/risk/limits", body, content_type="application/json")

    assert said.status_code == 400
    assert said.json()["code"] == code
    assert limits_of(viewer=ada.user).own == LimitSet()


def test_the_account_of_another_is_not_found(ada: Trader, client: Client) -> None:
    client.force_login(trader().user)

    said = client.get(f"/api/v1/risk/limits?account={ada.account.public_id}")

    assert said.status_code == 404
