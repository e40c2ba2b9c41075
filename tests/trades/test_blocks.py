"""Blocks as apps above send them: one order for many, told of to who owns it, once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotAllowed,
    NotFound,
    Refused,
    Unavailable,
)
from apps.engine.messages import BlockLeg
from apps.matching.gateway import new_command_id
from apps.trades import actions, block_entry, drift, routing
from apps.trades.actions import (
    amend_block,
    cancel_all,
    cancel_block,
    cancel_order,
    place_orders,
    remove_legs,
    submit_block,
)
from apps.trades.block_entry import Left, Submitted
from apps.trades.block_models import Block
from apps.trades.changing import amend_order
from apps.trades.models import Order
from apps.trades.pairing import place_pair
from apps.trades.presentation import order_json
from apps.trades.queries import block_for, block_legs, block_state, open_orders
from apps.trades.tasks import tell_block_owners
from apps.trades.templatetags.orders import order_type, status_words
from apps.wallets.models import Balance
from tests.factories import Trader, listed, trader

LOT = "0.00001"
A_BATCH = [
    {"market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "0.01",
     "price": price, "client_order_id": f"at-{price}"}
    for price in ("49000", "48000", "47000")
]  # fmt: skip


class Copying:
    """An app that owns blocks, and what it has heard."""

    def __init__(self) -> None:
        self.news: list[routing.News] = []
        self.fails = False

    def hear(self, news: Sequence[routing.News]) -> None:
        if self.fails:
            raise ZeroDivisionError("a bug")
        self.news += news

    def heard(self) -> list[str]:
        tell_block_owners()
        return [f"{each.what} {each.reason}".strip() for each in self.news]


@pytest.fixture
def copying() -> Iterator[Copying]:
    made = Copying()
    routing.register("copying", made.hear)
    yield made
    routing.forget("copying")


@pytest.fixture
def ada() -> Trader:
    listed()
    return trader(USDT="100000")


@pytest.fixture
def bob() -> Trader:
    return trader(USDT="100000")


@pytest.fixture
def sam() -> Trader:
    return trader(BTC="2", USDT="100000")


def send(leader: Trader, *copiers: Trader, **more: Any) -> Submitted:
    """The leader buys 0.01 at 50,000, each copier twice that."""
    order = {
        "market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "0.01",
        "price": "50000", "client_order_id": "lead", **more.pop("order", {}),
    }  # fmt: skip
    legs = more.pop("legs", [BlockLeg(each.account.id, 2000) for each in copiers])
    return submit_block(
        kind="copying", account=leader.account, order=order, legs=legs, now=clock.now(), **more
    )


def the_leg(person: Trader) -> Order:
    return Order.objects.select_related("instrument__base", "instrument__quote").get(
        account=person.account, block_id__isnull=False
    )


def test_leader_and_copiers_fill_as_one_order_at_one_price(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader
) -> None:
    sam.sell("0.012", "49000")
    sam.sell("0.018", "50000")

    sent = send(ada, bob)

    # 0.03 for 1,488 in all: a third and two thirds of it.
    assert (sent.order.status, sent.left_out) == ("filled", ())
    shown = [order_json(the_leg(each)) for each in (ada, bob)]
    assert [each["filled_quote"] for each in shown] == ["496.00", "992.00"]
    assert [each["average_price"] for each in shown] == ["49600.00", "49600.00"]
    assert [each["block_id"] for each in shown] == [str(sent.block.id)] * 2
    assert [each["client_order_id"] for each in shown] == ["lead", f"block:{sent.block.id}"]
    assert order_type(shown[1]) == f"Limit · in block {sent.block.id}"
    state = block_state(block=sent.block)
    assert (state.legs, state.open_legs, state.filled_lots) == (2, 0, 3000)
    assert [leg.account_id for leg in block_legs(block=sent.block)] == [
        ada.account.id, bob.account.id,
    ]  # fmt: skip
    assert not Balance.objects.filter(account_id__lt=0).exists()
    assert drift.check() == []


def test_the_owner_hears_of_everything_once_and_in_order(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader
) -> None:
    poor = trader(USDT="1")
    sent = send(ada, bob, poor)
    remove_legs(
        kind="copying", block_id=sent.block.id, account_ids=[bob.account.id], reason="stopped"
    )
    copying.fails = True
    assert copying.heard() == []
    copying.fails = False
    sam.sell("0.01", "50000")

    heard = ["joined", "joined", "left_out", "left", "ended block_filled", "allotted", "left"]
    heard.append("closed")
    assert copying.heard() == heard
    assert copying.heard() == heard
    by_what = {each.what: each for each in reversed(copying.news)}
    assert by_what["left_out"].legs == (
        routing.LegNews(poor.account.id, reason="insufficient_balance"),
    )
    assert by_what["left"].legs == (
        routing.LegNews(bob.account.id, the_leg(bob).id, reason="stopped"),
    )
    (mine,) = by_what["allotted"].legs
    assert (mine.account_id, mine.lots, mine.quote_minor) == (ada.account.id, 1000, 500 * 10**8)
    assert {each.block for each in copying.news} == {sent.block}
    assert sent.left_out[0].account_id == poor.account.id


def test_the_same_block_again_is_the_first_and_another_is_refused(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader
) -> None:
    first = send(ada, bob)

    again = send(ada, bob)
    Block.objects.update(created_at=clock.now() - timedelta(minutes=11))
    later = send(ada, bob)

    assert [each.order.id for each in (again, later)] == [first.order.id] * 2
    assert Order.objects.filter(block_id__isnull=False).count() == 2
    others: list[dict[str, Any]] = [{"legs": []}, {"order": {"price": "49000"}}]
    for other in others:
        with pytest.raises(Conflict) as refused:
            send(ada, bob, **other)
        assert refused.value.code == "id_reused"
    sam.buy("0.01", "40000", client_order_id="lead")
    with pytest.raises(Conflict):
        send(sam, bob)
    with pytest.raises(DomainError) as same_name:
        ada.buy("0.01", "40000", client_order_id="lead")
    assert same_name.value.code == "id_reused"


def test_a_block_whose_commands_the_engine_has_forgotten_is_sent_once_and_stays_known(
    copying: Copying, ada: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = trader(USDT="1")
    first = send(ada, bob, poor)
    # A command that is forgotten is to the engine one that it has never seen.
    monkeypatch.setattr(block_entry, "derived_command_id", lambda *_: new_command_id())

    with pytest.raises(DomainError) as soon:
        send(ada, bob, poor)
    Block.objects.update(created_at=clock.now() - timedelta(minutes=1))
    later = send(ada, bob, poor)
    cancel_block(kind="copying", block_id=first.block.id)
    ended = send(ada, bob, poor)

    assert soon.value.code == "not_yet_projected"
    assert (later.block, later.order.id) == (first.block, first.order.id)
    assert later.left_out == first.left_out == (Left(poor.account.id, "insufficient_balance"),)
    assert (ended.order.id, ended.order.status) == (first.order.id, "cancelled")
    assert Order.objects.filter(block_id__isnull=False).count() == 2


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"order": {"order_type": "stop", "price": None, "stop_price": "51000"}}, "block_terms"),
        ({"order": {"time_in_force": "fok"}}, "block_terms"),
        ({"order": {"display_quantity": "0.001"}}, "block_terms"),
        ({"order": {"client_order_id": None}}, "invalid_client_order_id"),
        ({"order": {"quantity": None}, "fraction_ppm": 5}, "invalid_fraction"),
        ({"fraction_ppm": 5}, "invalid_fraction"),
        ({"worst_price": "1e5"}, "invalid_amount"),
        ({"legs": [BlockLeg(7, 0)]}, "invalid_leg"),
        ({"legs": [BlockLeg(7, 1, 1)]}, "invalid_leg"),
        ({"legs": [BlockLeg(7, 0, 1)]}, "invalid_leg"),
        ({"legs": [BlockLeg(7, 1), BlockLeg(7, 1)]}, "invalid_leg"),
        ({"legs": [BlockLeg(7, 1, 0, -1)]}, "invalid_leg"),
        ({"legs": [BlockLeg(each, 1) for each in range(2000, 22_000)]}, "too_many_legs"),
    ],
)
def test_what_cannot_be_a_block_never_reaches_the_engine(
    copying: Copying, ada: Trader, wrong: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        send(ada, **wrong)

    assert refused.value.code == code
    assert not Block.objects.exists()
    assert not Order.objects.exists()


def test_a_block_that_the_engine_refuses_uses_up_no_id_and_gives_everything_back(
    copying: Copying, ada: Trader, bob: Trader
) -> None:
    before = [each.has("USDT") for each in (ada, bob)]

    with pytest.raises(Refused) as poor:
        send(ada, bob, order={"quantity": "9"})
    with pytest.raises(NotAllowed):
        submit_block(kind="nobody", account=ada.account, order={}, legs=[], now=clock.now())

    assert poor.value.code == "insufficient_funds"
    assert [each.has("USDT") for each in (ada, bob)] == before
    assert send(ada, bob).order.status == "open"


def test_more_legs_than_a_command_takes_join_all_the_same(copying: Copying, ada: Trader) -> None:
    nobody = [BlockLeg(each, 1) for each in range(50_000, 51_100)]

    sent = send(ada, legs=nobody)

    assert len(sent.left_out) == 1100
    assert {each.reason for each in sent.left_out} == {"unknown_account"}
    assert sent.order.status == "open"


def test_a_copier_cancels_his_leg_like_any_order_and_the_leader_the_block(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader
) -> None:
    sent = send(ada, bob)
    leg = the_leg(bob)
    with pytest.raises(Refused) as fixed:
        amend_order(actor=bob.user, order_id=leg.id, price="40000")

    left = cancel_order(actor=bob.user, order_id=leg.id)
    swept = cancel_all(actor=ada.user)

    assert fixed.value.code == "leg_of_block"
    assert (left.status, left.reason, left.held_minor) == ("cancelled", "user", 0)
    assert bob.has("USDT") == (100_000 * 10**8, 0)
    assert swept.order_ids == (sent.order.id,)
    assert the_leg(ada).status == "cancelled"
    assert status_words(order_json(the_leg(ada))) == "Cancelled, by you"
    assert open_orders(viewer=ada.user) == []


def test_cancel_all_takes_a_copier_out_of_his_blocks(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader
) -> None:
    send(ada, bob)
    order = bob.buy("0.01", "40000")

    swept = cancel_all(actor=bob.user, market="BTC-USDT", side="buy")

    assert set(swept.order_ids) == {order.id, the_leg(bob).id}
    assert the_leg(ada).status == "open"


def test_a_leg_that_has_left_keeps_its_part_and_may_be_cancelled_again(
    copying: Copying, ada: Trader, bob: Trader, sam: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    monkeypatch.setattr(actions, "CATCH_UP_SECONDS", 0.0)
    send(ada, bob)
    sam.sell("0.003", "50000")

    for _ in range(2):
        cancel_order(actor=bob.user, order_id=the_leg(bob).id)

    # A third of a slice of 0.003 is the leader's; the slice has not been allotted yet.
    left = the_leg(bob)
    assert (left.status, left.reason, left.filled_lots) == ("open", "user", 0)
    assert status_words(order_json(left)) == "Open, by you"
    cancel_block(kind="copying", block_id=left.block_id or 0)
    assert [(the_leg(each).status, the_leg(each).filled_lots) for each in (ada, bob)] == [
        ("cancelled", 100), ("cancelled", 200),
    ]  # fmt: skip
    assert drift.check() == []


def test_a_block_is_amended_and_cancelled_by_its_owner_alone(
    copying: Copying, ada: Trader, bob: Trader
) -> None:
    block = send(ada, bob).block
    less = amend_block(kind="copying", block_id=block.id, quantity="0.02", price="49500")
    assert less.is_open
    for wrong, code in (
        ({"price": "50000.01"}, "worst_price"),
        ({"quantity": "1"}, "invalid_amount"),
        ({}, "nothing_to_amend"),
    ):
        with pytest.raises(DomainError) as refused:
            amend_block(kind="copying", block_id=block.id, **wrong)
        assert refused.value.code == code
    with pytest.raises(DomainError) as leader:
        remove_legs(kind="copying", block_id=block.id, account_ids=[ada.account.id])
    assert leader.value.code == "leader_leg"
    with pytest.raises(NotFound):
        block_for(kind="other", block_id=block.id)

    ended = [cancel_block(kind="copying", block_id=block.id) for _ in range(2)]

    assert [each.is_open for each in ended] == [False, False]
    assert [each.has("USDT") for each in (ada, bob)] == [(100_000 * 10**8, 0)] * 2


def test_orders_of_an_account_can_go_as_blocks_by_themselves(ada: Trader, bob: Trader) -> None:
    made = Copying()
    joins = [BlockLeg(bob.account.id, 500)]
    routing.register("leads", made.hear, join=lambda *_: joins, account_kinds=["main"])
    try:
        first = ada.buy("0.01", "50000", client_order_id="mine")
        again = ada.buy("0.01", "50000", client_order_id="mine")
        with pytest.raises(Invalid):
            ada.place(side="buy", order_type="stop", quantity="0.01", stop_price="60000")
    finally:
        routing.forget("leads")

    assert again.id == first.id
    assert the_leg(ada).id == first.id
    assert the_leg(bob).quantity_lots == 500


def test_each_order_of_a_batch_of_blocks_has_its_own_answer(ada: Trader) -> None:
    joins: Iterator[list[BlockLeg] | Exception] = iter([[], KeyError("copies"), []])

    def join(*_: object) -> list[BlockLeg]:
        found = next(joins)
        if isinstance(found, Exception):
            raise found
        return found

    routing.register("leads", lambda _: None, join=join, account_kinds=["main"])
    try:
        first, second, third = place_orders(
            actor=ada.user, account=ada.account, orders=A_BATCH, now=clock.now()
        )
    finally:
        routing.forget("leads")

    assert isinstance(first, Order)
    assert isinstance(third, Order)
    assert isinstance(second, Unavailable)
    assert (second.code, second.data) == ("unavailable", {"retry_after_seconds": 1})
    placed = Order.objects.filter(account=ada.account).order_by("id")
    assert list(placed.values_list("id", flat=True)) == [first.id, third.id]


def test_no_block_of_a_batch_is_begun_after_its_time_is_over(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ROUTED_SECONDS_MAX", 0.0)
    routing.register("leads", lambda _: None, join=lambda *_: [], account_kinds=["main"])
    try:
        first, *rest = place_orders(
            actor=ada.user, account=ada.account, orders=A_BATCH, now=clock.now()
        )
    finally:
        routing.forget("leads")

    assert isinstance(first, Order)
    answers = [(each.code, each.data) for each in rest if isinstance(each, Unavailable)]
    assert answers == [("unavailable", {"retry_after_seconds": 1})] * 2
    assert Order.objects.get(account=ada.account).id == first.id


def test_of_an_account_whose_orders_are_blocks_no_pair_passes_by_the_others(ada: Trader) -> None:
    routing.register("leads", lambda _: None, join=lambda *_: [], account_kinds=["main"])
    try:
        with pytest.raises(Invalid) as refused:
            place_pair(
                actor=ada.user, account=ada.account, market="BTC-USDT", side="buy",
                quantity="0.01", price="49000", stop_price="51000", now=clock.now(),
            )  # fmt: skip
    finally:
        routing.forget("leads")

    assert refused.value.code == "block_terms"
    assert not Order.objects.exists()


def test_a_kind_has_one_owner() -> None:
    routing.register("once", lambda _: None)
    try:
        with pytest.raises(ValueError, match="have an owner"):
            routing.register("once", lambda _: None)
        with pytest.raises(ValueError, match="Nobody says"):
            routing.register("twice", lambda _: None, account_kinds=["main"])
    finally:
        routing.forget("once")
