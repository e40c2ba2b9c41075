"""Placing and cancelling: what the answer says, what the tables say, what the money did."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.errors import Conflict, DomainError, Invalid, NotFound, Refused, Unavailable
from apps.trades import actions
from apps.trades.actions import cancel_all, cancel_order, place_orders
from apps.trades.models import Fill, Order
from apps.trades.presentation import order_json
from apps.trades.queries import order_for
from apps.trades.templatetags.orders import order_type
from tests.factories import Trader, listed, trader

MINOR = 10**8


@pytest.fixture
def ada() -> Trader:
    listed()
    return trader(USDT="1000", BTC="1")


@pytest.fixture
def bob() -> Trader:
    return trader(USDT="100000", BTC="2")


def as_stored(order: Order) -> dict[str, object]:
    return order_json(
        Order.objects.select_related("account", "instrument__base", "instrument__quote").get(
            id=order.id
        )
    )


def test_a_limit_order_rests_and_holds_its_worst_case(ada: Trader) -> None:
    order = ada.buy("0.01", "60000", client_order_id="first")

    assert order_json(order) == as_stored(order)
    assert order_json(order) | {"created_at": "", "updated_at": "", "seq": 0} == {
        "id": "1", "client_order_id": "first", "account": str(ada.account.public_id),
        "market": "BTC-USDT", "side": "buy", "type": "limit", "time_in_force": "gtc",
        "post_only": False, "self_trade_prevention": "expire_taker", "status": "open",
        "quantity": "0.01000", "quote_amount": None, "price": "60000.00", "stop_price": None,
        "display_quantity": None, "trail_amount": None, "trail_percent": None,
        "take_profit_price": None,
        "stop_loss_price": None,
        "stop_loss_limit_price": None,
        "pair_order_id": None,
        "parent_order_id": None,
        "block_id": None,
        "filled_quantity": "0.00000", "filled_quote": "0.00", "average_price": None,
        "fee": "0.00", "fee_asset": "USDT", "expires_at": None, "reason": None, "seq": 0,
        "created_at": "", "updated_at": "",
    }  # fmt: skip
    # 600 USDT, 0.1 % of it as the highest fee, and one minor unit more for rounding twice.
    assert ada.has("USDT") == (1000 * MINOR - 60_060_000_001, 60_060_000_001)


def test_a_market_order_fills_and_pays_price_times_quantity_and_fee(
    ada: Trader, bob: Trader
) -> None:
    bob.sell("0.005", "60000")
    bob.sell("0.005", "60010")

    order = ada.place(side="buy", order_type="market", quantity="0.01", time_in_force="ioc")

    shown = order_json(order)
    assert shown == as_stored(order)
    assert shown["status"] == "filled"
    assert shown["filled_quantity"] == "0.01000"
    assert shown["filled_quote"] == "600.05"
    assert shown["average_price"] == "60005.00"
    assert shown["fee"] == "0.60005"
    assert ada.has("USDT") == (100_000_000_000 - 60_005_000_000 - 60_005_000, 0)
    assert ada.has("BTC") == (101_000_000, 0)
    # The maker gets the quote less 0.08 %.
    assert bob.has("USDT") == (10_000_000_000_000 + 60_005_000_000 - 48_004_000, 0)
    fills = Fill.objects.filter(account=ada.account).order_by("id")
    assert [(fill.price_ticks, fill.quantity_lots, fill.is_maker) for fill in fills] == [
        (6_000_000, 500, False),
        (6_001_000, 500, False),
    ]


def test_a_market_order_by_quote_amount_spends_no_more_than_its_budget(
    ada: Trader, bob: Trader
) -> None:
    bob.sell("1", "60000")

    order = ada.place(side="buy", order_type="market", quote_amount="100", time_in_force="ioc")

    shown = order_json(order)
    assert shown == as_stored(order)
    assert (shown["status"], shown["reason"]) == ("filled", "budget")
    assert (shown["quantity"], shown["quote_amount"]) == (None, "100.00")
    # 0.00166 BTC are 99.60 USDT and 0.0996 fee; one lot more would be 100.20.
    assert shown["filled_quantity"] == "0.00166"
    assert shown["filled_quote"] == "99.60"
    assert shown["fee"] == "0.0996"
    assert ada.has("USDT") == (100_000_000_000 - 9_969_960_000, 0)


def test_an_older_order_changes_as_it_fills_and_ends(ada: Trader, bob: Trader) -> None:
    resting = bob.sell("0.02", "50000")

    ada.buy("0.01", "50000", time_in_force="ioc")
    partly = as_stored(resting)
    ada.buy("0.005", "50000", time_in_force="ioc")
    cancelled = cancel_order(actor=bob.user, order_id=resting.id)

    assert (partly["status"], partly["filled_quantity"]) == ("partially_filled", "0.01000")
    assert order_json(cancelled) == as_stored(resting)
    assert (cancelled.status, cancelled.reason) == ("cancelled", "user")
    assert (cancelled.filled_lots, cancelled.held_minor) == (1500, 0)
    assert bob.has("BTC") == (2 * MINOR - 1_500_000, 0)


def test_the_same_order_again_gets_what_became_of_the_first(ada: Trader, bob: Trader) -> None:
    first = ada.buy("0.01", "50000", client_order_id="mine")
    bob.sell("0.01", "50000")

    again = ada.buy("0.01", "50000", client_order_id="mine")

    assert again.id == first.id
    assert again.status == "filled"
    assert Order.objects.filter(account=ada.account).count() == 1


def test_another_order_under_a_used_id_is_refused(ada: Trader) -> None:
    ada.buy("0.01", "50000", client_order_id="mine")
    before = ada.has("USDT")

    with pytest.raises(Conflict) as refused:
        ada.buy("0.02", "50000", client_order_id="mine")

    assert refused.value.code == "id_reused"
    assert ada.has("USDT") == before
    assert Order.objects.filter(account=ada.account).count() == 1


def test_the_engine_knows_a_repeated_id_before_the_table_does(ada: Trader) -> None:
    first = ada.buy("0.01", "50000", client_order_id="mine")
    Order.objects.filter(id=first.id).update(client_order_id="not there yet")

    again = ada.buy("0.01", "50000", client_order_id="mine")
    with pytest.raises(Conflict) as refused:
        ada.buy("0.02", "50000", client_order_id="mine")

    assert order_json(again) == order_json(first)
    assert refused.value.code == "id_reused"
    Order.objects.filter(id=first.id).update(client_order_id="mine")


def test_an_order_whose_date_has_passed_is_known_again(ada: Trader) -> None:
    end = clock.now() + timedelta(minutes=1)
    asked = {"time_in_force": "gtd", "expires_at": clock.iso(end), "client_order_id": "mine"}
    first = ada.buy("0.01", "50000", **asked)

    again = ada.buy("0.01", "50000", now=end + timedelta(seconds=1), **asked)

    assert again.id == first.id
    with pytest.raises(Invalid) as refused:
        ada.buy(
            "0.01", "50000", now=end + timedelta(seconds=1), **{**asked, "client_order_id": "new"}
        )
    assert refused.value.code == "expires_at_past"


def test_orders_that_come_again_in_a_batch_wait_once_for_the_table(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [
        {"market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "0.001",
         "price": "50000", "client_order_id": f"mine-{number}"}
        for number in range(3)
    ]  # fmt: skip
    first = place_orders(actor=ada.user, orders=asked, now=clock.now())
    monkeypatch.setattr(actions, "orders_named", lambda account, client_order_ids: [])
    waited: list[int] = []
    monkeypatch.setattr(actions, "wait_for_seq", lambda seq, seconds: waited.append(seq))

    again = place_orders(actor=ada.user, orders=asked, now=clock.now())

    assert [_id(each) for each in again] == [_id(each) for each in first]
    assert waited == [max(order.seq for order in first if isinstance(order, Order))]


def _id(outcome: Order | DomainError) -> int:
    assert isinstance(outcome, Order)
    return outcome.id


def test_a_balance_that_is_too_small_is_said_in_numbers(ada: Trader) -> None:
    with pytest.raises(Refused) as refused:
        ada.buy("0.02", "60000")

    assert refused.value.code == "insufficient_funds"
    assert refused.value.message == (
        "Your balance is too small: 1201.20000001 USDT needed, 1000.00 USDT available."
        " Order less, or deposit more. Nothing was ordered."
    )
    assert refused.value.data == {"field": "quantity"}
    assert ada.has("USDT") == (1000 * MINOR, 0)
    assert not Order.objects.exists()


def test_a_batch_gives_each_order_its_own_outcome(ada: Trader) -> None:
    limit = {"market": "BTC-USDT", "side": "buy", "order_type": "limit"}

    outcomes = place_orders(
        actor=ada.user,
        account=ada.account,
        orders=[
            {**limit, "quantity": "0.001", "price": "50000", "client_order_id": "one"},
            {**limit, "quantity": "0.0010001", "price": "50000"},
            {**limit, "quantity": "1", "price": "50000"},
            {**limit, "quantity": "0.001", "price": "50000", "client_order_id": "one"},
            {**limit, "market": "BTC-XXX", "quantity": "1", "price": "1"},
            {**limit, "quantity": "0.002", "price": "50000"},
        ],
        now=clock.now(),
    )

    assert [each.code if isinstance(each, DomainError) else each.id for each in outcomes] == [
        1, "lot_size", "insufficient_funds", 1, "unknown_market", 2,
    ]  # fmt: skip
    assert Order.objects.filter(account=ada.account).count() == 2


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_a_size(ada: Trader, count: int) -> None:
    asked = {"market": "BTC-USDT", "side": "buy", "order_type": "limit"}

    with pytest.raises(DomainError) as refused:
        place_orders(actor=ada.user, account=ada.account, orders=[asked] * count, now=clock.now())

    assert refused.value.code == "batch_size"


def test_cancel_all_ends_the_orders_of_one_market_and_account(ada: Trader, bob: Trader) -> None:
    listed("ETH-BTC")
    first = ada.buy("0.001", "50000")
    other = ada.buy("1", "0.01", market="ETH-BTC")
    second = ada.sell("0.001", "70000")
    foreign = bob.buy("0.001", "50000")

    in_market = cancel_all(actor=ada.user, account=ada.account, market="BTC-USDT")
    rest = cancel_all(actor=ada.user, account=ada.account)

    assert in_market.order_ids == (first.id, second.id)
    assert rest.order_ids == (other.id,)
    assert rest.seq == in_market.seq + 1
    assert ada.has("USDT") == (1000 * MINOR, 0)
    assert order_for(viewer=bob.user, order_id=foreign.id).status == "open"


def test_a_foreign_order_cannot_be_seen_or_cancelled(ada: Trader, bob: Trader) -> None:
    order = ada.buy("0.001", "50000")

    for order_id in (order.id, str(order.id), "999", "0", "x", "-1", "1" * 30):
        with pytest.raises(NotFound) as unseen:
            order_for(viewer=bob.user, order_id=order_id)
        with pytest.raises(NotFound) as uncancelled:
            cancel_order(actor=bob.user, order_id=order_id)
        assert unseen.value.code == uncancelled.value.code == "order_not_found"
        assert unseen.value.message == uncancelled.value.message == "You have no such order."

    assert order_for(viewer=ada.user, order_id=order.id).status == "open"


def test_a_foreign_account_cannot_be_traded_on(ada: Trader, bob: Trader) -> None:
    asked = {"market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "0.001",
             "price": "50000"}  # fmt: skip

    for account in (ada.account, str(ada.account.public_id), "x"):
        with pytest.raises(NotFound) as refused:
            place_orders(actor=bob.user, account=account, orders=[asked], now=clock.now())
        assert refused.value.code == "unknown_account"

    assert not Order.objects.exists()


def test_an_ended_order_is_not_cancelled_again(ada: Trader, bob: Trader) -> None:
    cancelled = ada.buy("0.001", "50000")
    cancel_order(actor=ada.user, order_id=cancelled.id)
    filled = ada.buy("0.001", "50000")
    bob.sell("0.001", "50000")

    for order, words in ((cancelled, "ended (cancelled)"), (filled, "filled")):
        with pytest.raises(Conflict) as refused:
            cancel_order(actor=ada.user, order_id=order.id)
        assert refused.value.code == "order_closed"
        assert refused.value.message == (
            f"This order is {words} already. There was nothing to cancel."
        )


def test_an_order_that_ended_while_the_table_is_behind_is_not_called_open(
    ada: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ada.buy("0.001", "50000")
    behind = order_for(viewer=ada.user, order_id=order.id)
    bob.sell("0.001", "50000")
    monkeypatch.setattr(actions, "_order_or_none", lambda actor, order_id: behind)

    with pytest.raises(Unavailable) as later:
        cancel_order(actor=ada.user, order_id=order.id)

    assert later.value.code == "not_yet_projected"


def test_an_order_that_is_not_in_the_table_yet_can_be_cancelled(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ada.buy("0.001", "50000"), ada.buy("0.002", "50000")
    rows = [None, order_for(viewer=ada.user, order_id=first.id), None, None]
    monkeypatch.setattr(actions, "_order_or_none", lambda actor, order_id: rows.pop(0))

    cancelled = cancel_order(actor=ada.user, order_id=first.id)
    with pytest.raises(Unavailable) as later:
        cancel_order(actor=ada.user, order_id=second.id)

    # The row that was read is from before the cancel: what the engine replied is taken in.
    assert (cancelled.status, cancelled.reason, cancelled.held_minor) == ("cancelled", "user", 0)
    assert later.value.code == "not_yet_projected"
    assert later.value.message == "Your order is cancelled; its details can be read in a moment."
    assert ada.has("USDT") == (1000 * MINOR, 0)


def test_stops_wait_and_trigger(ada: Trader, bob: Trader) -> None:
    carol = trader(USDT="10000", BTC="1")
    carol.buy("0.01", "50000")
    stop = bob.place(
        side="sell", order_type="stop", quantity="0.004", stop_price="50000",
        time_in_force="gtc",
    )  # fmt: skip

    ada.sell("0.001", "50000")

    shown = as_stored(stop)
    assert (shown["status"], shown["filled_quantity"]) == ("filled", "0.00400")
    assert (shown["price"], shown["stop_price"]) == (None, "50000.00")
    assert Order.objects.get(id=stop.id).triggered


def test_a_take_profit_waits_for_a_good_price(ada: Trader, bob: Trader) -> None:
    carol = trader(USDT="10000", BTC="1")
    takes = bob.place(
        side="sell", order_type="take_profit_limit", quantity="0.004", price="50000",
        stop_price="50000",
    )  # fmt: skip
    assert as_stored(takes)["status"] == "open"

    ada.sell("0.001", "50000")
    carol.buy("0.002", "50000")

    shown = as_stored(takes)
    assert (shown["type"], shown["status"]) == ("take_profit_limit", "partially_filled")
    assert shown["filled_quantity"] == "0.00100"
    assert Order.objects.get(id=takes.id).triggered


def test_a_trailing_stop_is_shown_with_its_distance(ada: Trader, bob: Trader) -> None:
    carol = trader(USDT="10000", BTC="1")
    ada.sell("0.001", "50000")
    carol.buy("0.001", "50000")

    by_amount = bob.place(
        side="sell", order_type="trailing_stop", quantity="0.004", trail_amount="100.5",
        client_order_id="trail",
    )  # fmt: skip
    by_percent = bob.place(
        side="buy", order_type="trailing_stop", quantity="0.004", trail_percent="0.5",
        stop_price="49000",
    )  # fmt: skip
    again = bob.place(
        side="sell", order_type="trailing_stop", quantity="0.004", trail_amount="100.5",
        client_order_id="trail",
    )  # fmt: skip

    shown = [as_stored(order) for order in (by_amount, by_percent)]
    assert [order_json(by_amount), order_json(by_percent)] == shown
    assert [
        (each["type"], each["stop_price"], each["trail_amount"], each["trail_percent"])
        for each in shown
    ] == [
        ("trailing_stop", None, "100.50", None),
        ("trailing_stop", "49000.00", None, "0.5"),
    ]
    assert again.id == by_amount.id
    assert [order_type(each) for each in shown] == [
        "Trailing stop · 100.50 behind",
        "Trailing stop · 0.5% behind · from 49,000.00",
    ]


def test_an_iceberg_shows_a_part_and_keeps_to_its_quantity(ada: Trader, bob: Trader) -> None:
    iceberg = bob.sell("0.01", "50000", display_quantity="0.003", client_order_id="ice")

    ada.buy("0.004", "50000")

    shown = as_stored(iceberg)
    assert order_json(iceberg)["display_quantity"] == "0.00300"
    assert (shown["status"], shown["filled_quantity"]) == ("partially_filled", "0.00400")
    assert (shown["quantity"], shown["display_quantity"]) == ("0.01000", "0.00300")
    assert order_type(shown) == "Limit · shows 0.00300"
    assert bob.has("BTC") == (2 * MINOR - MINOR // 100, MINOR * 6 // 1000)


def test_own_orders_lose_what_they_would_have_traded(bob: Trader) -> None:
    listed()
    bob.sell("0.004", "50000")

    order = bob.buy("0.01", "50000", self_trade_prevention="decrement")

    shown = as_stored(order)
    assert order_json(order) == shown
    assert (shown["status"], shown["quantity"], shown["filled_quantity"]) == (
        "open", "0.00600", "0.00000",
    )  # fmt: skip
    assert Order.objects.filter(reason="self_trade", status="expired").count() == 1
    assert bob.has("USDT")[1] == 300 * MINOR + 30_000_001


def test_an_order_good_till_a_date_keeps_that_date(ada: Trader) -> None:
    end = clock.now() + timedelta(hours=1)

    order = ada.buy("0.001", "50000", time_in_force="gtd", expires_at=clock.iso(end))

    assert order.expires_at == end
    assert as_stored(order)["expires_at"] == clock.iso(end)


def test_an_inactive_person_cannot_trade(ada: Trader) -> None:
    ada.user.is_active = False

    with pytest.raises(DomainError) as refused:
        ada.buy("0.001", "50000")

    assert refused.value.code == "person_inactive"
    assert not Order.objects.exists()


def test_invalid_is_what_the_parser_refuses(ada: Trader) -> None:
    with pytest.raises(Invalid) as refused:
        ada.buy("0.001", "50000.001")

    assert refused.value.code == "tick_size"
    assert refused.value.message == ("Prices of BTC-USDT go in steps of 0.01. Nothing was ordered.")
    assert refused.value.data == {"tick_size": "0.01", "field": "price"}


def test_every_answer_is_what_the_table_comes_to_say(ada: Trader, bob: Trader) -> None:
    draw = random.Random(7)
    carol = trader(USDT="100000", BTC="2")
    statuses = set()

    for _ in range(120):
        side = draw.choice(("buy", "sell"))
        price = f"{draw.randint(49_000, 51_000)}.{draw.randint(0, 99):02}"
        kind = draw.choice(("limit", "limit", "limit", "market", "stop", "stop_limit"))
        far = "52000" if side == "buy" else "48000"
        by_quote = kind == "market" and side == "buy" and draw.random() < 0.5
        with contextlib.suppress(Refused):
            order = draw.choice((bob, carol)).place(
                side=side,
                order_type=kind,
                quantity=None if by_quote else f"0.0{draw.choice('0123')}{draw.randint(100, 999)}",
                quote_amount=f"{draw.randint(50, 500)}" if by_quote else None,
                price=price if kind in ("limit", "stop_limit") else None,
                stop_price=far if kind.startswith("stop") else None,
                time_in_force=draw.choice(("gtc", "ioc", "fok")) if kind == "limit" else None,
                self_trade_prevention=draw.choice(("expire_taker", "expire_maker", "expire_both")),
            )
            assert order_json(order) == as_stored(order)
            statuses.add((order.status, order.reason))

    assert {"open", "partially_filled", "filled", "cancelled"} <= {each[0] for each in statuses}
    assert {"ioc", "fok", "self_trade"} <= {each[1] for each in statuses}
