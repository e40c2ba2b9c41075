"""The account topic: who may read it, what is in it, and that changes add up to snapshots."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import orjson
import pytest
import redis

from apps.core import clock
from apps.core.errors import DomainError, Invalid, NotFound
from apps.core.realtime import calls, publish, topics
from apps.matching import projections
from apps.matching.queries import projected_seq
from apps.trades import realtime
from apps.trades.actions import cancel_all
from apps.trades.models import Order
from apps.trades.projections import TradesProjection
from apps.trades.risk.actions import restrict_account
from tests.factories import Trader, fund, listed, staff, trader

Commits = Callable[..., AbstractContextManager[list[Any]]]
OPEN = ("open", "partially_filled")


@pytest.fixture(autouse=True)
def _new_publisher(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A projector that has just started: it remembers nothing of other tests."""
    (trades,) = (each for each in projections.registered() if each.name == "trades")
    assert isinstance(trades, TradesProjection)
    monkeypatch.setattr(trades, "_tell", realtime.AccountPublisher().publish)


@pytest.fixture
def ada() -> Trader:
    listed()
    return trader(USDT="10000", BTC="1")


@pytest.fixture
def bob() -> Trader:
    return trader(USDT="10000", BTC="1")


class Listener:
    """What Valkey brings of one account's topic."""

    def __init__(self, valkey: redis.Redis, who: Trader) -> None:
        self.topic = f"account.{who.account.public_id}"
        self._pubsub = valkey.pubsub()
        self._pubsub.subscribe(publish.channel(self.topic))
        assert self._pubsub.get_message(timeout=2)["type"] == "subscribe"

    def heard(self) -> list[dict[str, Any]]:
        messages = []
        while (message := self._pubsub.get_message(timeout=0.1)) is not None:
            messages.append(orjson.loads(message["data"]))
        return messages


@pytest.fixture
def listen(valkey: redis.Redis) -> Callable[[Trader], Listener]:
    def start(who: Trader) -> Listener:
        return Listener(valkey, who)

    return start


def snapshot_of(who: Trader) -> tuple[int, dict[str, Any]]:
    seq, data = realtime.snapshot({"public_id": str(who.account.public_id)})
    return seq, orjson.loads(orjson.dumps(data))


def test_only_the_owner_may_read_an_account(ada: Trader, bob: Trader) -> None:
    kind, match = topics.resolve(f"account.{ada.account.public_id}")

    assert kind.authorise(ada.user, match)
    for user in (bob.user, None):
        with pytest.raises(NotFound) as refused:
            kind.authorise(user, match)
        assert refused.value.code == "unknown_account"
    with pytest.raises(NotFound) as absent:
        kind.authorise(ada.user, {"public_id": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10"})
    assert absent.value.code == "unknown_account"


def test_an_account_has_one_topic_however_its_id_can_be_written(ada: Trader) -> None:
    written = str(ada.account.public_id)

    for other in (written.upper(), written.replace("-", "")):
        kind, match = topics.resolve(f"account.{other}")
        with pytest.raises(NotFound) as refused:
            kind.authorise(ada.user, match)
        assert refused.value.code == "unknown_account"


def test_a_snapshot_has_open_orders_balances_and_fills(ada: Trader, bob: Trader) -> None:
    bob.sell("0.001", "50000")
    ada.buy("0.002", "50000")
    ended = ada.buy("0.001", "40000")
    cancel_all(actor=ada.user, account=ada.account)
    kept = ada.buy("0.001", "45000")

    seq, data = snapshot_of(ada)

    assert seq == projected_seq()
    assert [order["id"] for order in data["orders"]] == [str(kept.id)]
    assert str(ended.id) not in {order["id"] for order in data["orders"]}
    assert [(fill["price"], fill["quantity"], fill["role"]) for fill in data["fills"]] == [
        ("50000.00", "0.00100", "taker")
    ]
    assert [(each["asset"], each["total"]) for each in data["balances"]] == [
        ("USDT", "9949.95"), ("BTC", "1.00100000"),
    ]  # fmt: skip


def test_changes_reach_who_follows_and_nobody_else(
    ada: Trader, bob: Trader, listen: Callable[[Trader], Listener],
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    listener = listen(ada)

    with django_capture_on_commit_callbacks(execute=True):
        bob.sell("0.001", "50000")
    assert listener.heard() == []
    with django_capture_on_commit_callbacks(execute=True):
        order = ada.buy("0.002", "50000")

    (message,) = listener.heard()
    assert (message["topic"], message["type"]) == (listener.topic, "delta")
    assert message["seq"] == projected_seq()
    assert [each["id"] for each in message["data"]["orders"]] == [str(order.id)]
    assert [each["status"] for each in message["data"]["orders"]] == ["partially_filled"]
    assert [each["quantity"] for each in message["data"]["fills"]] == ["0.00100"]
    assert {each["asset"] for each in message["data"]["balances"]} == {"USDT", "BTC"}


def test_each_change_names_the_one_before(
    ada: Trader, listen: Callable[[Trader], Listener],
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        ada.buy("0.001", "50000")
    unheard = projected_seq()
    listener = listen(ada)

    with django_capture_on_commit_callbacks(execute=True):
        fund(ada.account, "ETH", "2")
    with django_capture_on_commit_callbacks(execute=True):
        ada.buy("0.002", "50000")

    first, second = listener.heard()
    # What nobody heard counts as well: whoever is behind it must fetch a snapshot.
    assert first["prev"] == unheard
    assert (first["data"]["orders"], first["data"]["fills"]) == ([], [])
    assert [each["asset"] for each in first["data"]["balances"]] == ["ETH"]
    assert second["prev"] == first["seq"]


def test_a_batch_that_was_never_told_shows_as_a_gap(
    ada: Trader, listen: Callable[[Trader], Listener],
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    listener = listen(ada)
    with django_capture_on_commit_callbacks(execute=True):
        ada.buy("0.001", "50000")
    # Committed, but the projector lost its connection before it knew.
    with django_capture_on_commit_callbacks(execute=False):
        ada.buy("0.002", "50000")
    missed = projected_seq()
    with django_capture_on_commit_callbacks(execute=True):
        ada.buy("0.003", "50000")

    told, after = listener.heard()

    assert told["seq"] < missed
    assert after["prev"] == missed


def test_a_snapshot_and_the_changes_after_it_make_the_later_snapshot(
    ada: Trader, bob: Trader, listen: Callable[[Trader], Listener],
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    ada.buy("0.001", "49000")
    seq, state = snapshot_of(ada)
    listener = listen(ada)

    for work in (
        lambda: bob.sell("0.003", "50000"),
        lambda: ada.buy("0.004", "50000"),
        lambda: bob.sell("0.0005", "49500"),
        lambda: ada.sell("0.002", "60000"),
        lambda: fund(ada.account, "SOL", "3"),
        lambda: cancel_all(actor=ada.user, account=ada.account),
        lambda: ada.buy("0.001", "48000"),
    ):
        with django_capture_on_commit_callbacks(execute=True):
            work()

    for message in listener.heard():
        assert message["prev"] <= seq < message["seq"]
        seq = message["seq"]
        fold_in(state, message["data"])
    assert (seq, state) == snapshot_of(ada)


def fold_in(state: dict[str, Any], change: dict[str, Any]) -> None:
    """What a client does with a change."""
    orders = {order["id"]: order for order in state["orders"]}
    for order in change["orders"]:
        orders.pop(order["id"], None)
        if order["status"] in OPEN:
            orders[order["id"]] = order
    state["orders"] = sorted(orders.values(), key=lambda order: -int(order["id"]))
    state["fills"] = sorted(state["fills"] + change["fills"], key=lambda fill: -int(fill["id"]))[
        :50
    ]
    rank = ("USDT", "BTC", "ETH", "SOL", "XRP", "DOGE").index
    held = {each["asset"]: each for each in state["balances"] + change["balances"]}
    state["balances"] = sorted(held.values(), key=lambda each: rank(each["asset"]))


def test_a_change_that_is_too_large_sends_readers_to_a_snapshot(
    ada: Trader, listen: Callable[[Trader], Listener],
    django_capture_on_commit_callbacks: Commits, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(realtime, "CHANGES_MAX", 2)
    for price in ("40000", "40001", "40002"):
        ada.buy("0.001", price)
    before = projected_seq()
    listener = listen(ada)

    with django_capture_on_commit_callbacks(execute=True):
        cancel_all(actor=ada.user, account=ada.account)

    (message,) = listener.heard()
    assert message["data"] == {"orders": [], "fills": [], "balances": []}
    # Nobody can have seen what this message says came before it.
    assert message["prev"] == message["seq"] > before


def test_without_followers_nothing_is_read_or_sent(
    ada: Trader, django_capture_on_commit_callbacks: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(realtime, "publish_all", sent.append)
    monkeypatch.setattr(realtime, "_changes", lambda *_: pytest.fail("the tables were read"))

    with django_capture_on_commit_callbacks(execute=True):
        ada.buy("0.001", "50000")

    assert sent == []


def test_orders_are_placed_and_cancelled_by_call(ada: Trader, bob: Trader) -> None:
    fields = {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.001",
              "price": "50000", "expires_at": None}  # fmt: skip

    placed = called("order.place", ada, **fields)
    with pytest.raises(NotFound) as foreign:
        called("order.cancel", bob, id=placed["id"])
    cancelled = called("order.cancel", ada, id=placed["id"])

    assert placed["status"] == "open"
    assert foreign.value.code == "order_not_found"
    assert (cancelled["id"], cancelled["status"]) == (placed["id"], "cancelled")
    assert placed["account"] == str(ada.account.public_id)


def test_pairs_are_placed_by_call(ada: Trader, bob: Trader) -> None:
    ada.sell("0.001", "50000")
    bob.buy("0.001", "50000")
    fields = {"market": "BTC-USDT", "side": "sell", "quantity": "0.001", "price": "52000",
              "stop_price": "48000", "client_order_id": "mine", "expires_at": None}  # fmt: skip

    placed = called("order.pair", ada, **fields)["orders"]
    again = called("order.pair", ada, **fields)["orders"]
    cancelled = called("order.cancel", ada, id=placed[1]["id"])

    assert [each["client_order_id"] for each in placed] == ["mine", "mine-stop"]
    assert again == placed
    assert cancelled["pair_order_id"] == placed[0]["id"]
    assert Order.objects.get(id=placed[0]["id"]).reason == "pair"


def called(method: str, who: Trader, **params: Any) -> dict[str, Any]:
    found = calls.resolve(method)(who.user, params)
    assert isinstance(found, dict)
    return found


def test_orders_are_changed_by_call(ada: Trader) -> None:
    fields = {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.001"}
    placed = called("order.place", ada, **fields, price="50000")

    amended = called("order.amend", ada, id=placed["id"], price="51000")
    replaced = called("order.replace", ada, id=placed["id"], **fields, price="52000")
    switch = called("order.cancel_after", ada, timeout_seconds=5)
    cancelled = called("order.cancel_all", ada, market="BTC-USDT", side="buy")

    assert (amended["price"], replaced["price"]) == ("51000.00", "52000.00")
    assert switch["cancel_at"] is not None
    assert cancelled["cancelled"] == [replaced["id"]]


def test_a_watch_arms_the_switch_and_cancels_everything_at_its_end(ada: Trader) -> None:
    order = ada.buy("0.001", "50000")

    begun = calls.resolve("session.cancel_on_disconnect")(ada.user, {})

    assert isinstance(begun, calls.Watch)
    assert begun.answer == {"account": str(ada.account.public_id), "enabled": True}
    assert begun.every_seconds == 5
    begun.keep()
    begun.end()
    ended = Order.objects.get(id=order.id)
    assert (ended.status, ended.reason) == ("cancelled", "cancel_all")
    over = calls.resolve("session.cancel_on_disconnect")(ada.user, {"enabled": False})
    assert isinstance(over, calls.Watch)
    assert over.every_seconds == 0


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("order.place", {}, "missing_field"),
        ("order.place", {"market": "BTC-USDT", "side": "buy"}, "missing_field"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "x": 1},
         "unknown_field"),
        ("order.place", {"market": 1, "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1"}, "unknown_market"),
        ("order.place", {"market": ["BTC-USDT"], "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1"}, "unknown_market"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": 1,
                         "price": "1"}, "amount_must_be_string"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1", "account": "x"}, "unknown_account"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1", "client_order_id": 7}, "invalid_client_order_id"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1", "client_order_id": "a\x00"}, "invalid_client_order_id"),
        ("order.place", {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "1",
                         "price": "1", "post_only": "yes"}, "invalid_post_only"),
        ("order.pair", {}, "missing_field"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "type": "limit"}, "unknown_field"),
        ("order.pair", {"market": ["BTC-USDT"], "side": "sell", "quantity": "1", "price": "1"},
         "unknown_market"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1"},
         "stop_price_required"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "stop_price": 1}, "amount_must_be_string"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "stop_price": "1", "client_order_id": 7}, "invalid_client_order_id"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "stop_price": "1", "client_order_id": "x" * 59},
         "invalid_client_order_id"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "stop_price": "1", "time_in_force": ["gtc"]}, "invalid_time_in_force"),
        ("order.pair", {"market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "1",
                        "stop_price": "1", "account": "x"}, "unknown_account"),
        ("order.cancel", {}, "invalid_params"),
        ("order.cancel", {"id": 1}, "invalid_params"),
        ("order.cancel", {"id": "1", "all": True}, "invalid_params"),
        ("order.cancel", {"id": "x"}, "order_not_found"),
        ("order.amend", {"id": "1", "quantity": "1"}, "order_not_found"),
        ("order.amend", {"id": 1, "quantity": "1"}, "invalid_params"),
        ("order.amend", {"id": "1", "side": "buy"}, "unknown_field"),
        ("order.replace", {"id": "1"}, "missing_field"),
        ("order.cancel_all", {"side": "both"}, "invalid_side"),
        ("order.cancel_all", {"side": 1}, "invalid_params"),
        ("order.cancel_all", {"sides": "buy"}, "unknown_field"),
        ("order.cancel_all", {"account": "x"}, "unknown_account"),
        ("order.cancel_after", {}, "invalid_timeout"),
        ("order.cancel_after", {"timeout_seconds": True}, "invalid_timeout"),
        ("order.cancel_after", {"timeout_seconds": 86_401}, "invalid_timeout"),
        ("session.cancel_on_disconnect", {"enabled": 1}, "invalid_params"),
        ("session.cancel_on_disconnect", {"account": "x"}, "unknown_account"),
    ],
)  # fmt: skip
def test_a_malformed_call_is_refused_and_changes_nothing(
    ada: Trader, method: str, params: dict[str, Any], code: str
) -> None:
    before = projected_seq()

    with pytest.raises(DomainError) as refused:
        calls.resolve(method)(ada.user, params)

    assert refused.value.code == code
    assert projected_seq() == before


def test_times_in_calls_are_text(ada: Trader) -> None:
    with pytest.raises(Invalid) as refused:
        realtime.place(
            ada.user,
            {"market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.001",
             "price": "50000", "time_in_force": "gtd", "expires_at": 1_700_000_000},
        )  # fmt: skip

    assert refused.value.code == "invalid_time"
    assert refused.value.data["field"] == "expires_at"


def test_who_may_only_sell_is_told_why(
    ada: Trader, listen: Callable[[Trader], Listener], django_capture_on_commit_callbacks: Commits
) -> None:
    listener = listen(ada)
    before = snapshot_of(ada)[1]["standing"]

    with django_capture_on_commit_callbacks(execute=True):
        restrict_account(
            actor=staff(), account=ada.account, state=2, reason="A question", now=clock.now()
        )

    heard = listener.heard()[-1]["data"]["standing"]
    assert before == {"state": "normal", "restrictions": []}
    assert heard == snapshot_of(ada)[1]["standing"]
    assert heard["state"] == "reduce_only"
    assert heard["restrictions"][0]["words"] == (
        "Staff have restricted your account: A question. Ask support."
    )
