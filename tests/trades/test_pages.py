"""Lists of orders and fills: whose they are, in which order, in how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.core.errors import Invalid, NotFound
from apps.trades.actions import cancel_order
from apps.trades.models import Order
from apps.trades.presentation import fill_json, order_json
from apps.trades.queries import Wanted, fills_page, open_orders, order_for, orders_page
from apps.wallets.presentation import entry_json
from apps.wallets.queries import flows, ledger_page
from tests.factories import Trader, house, listed, trader


@pytest.fixture
def ada() -> Trader:
    listed()
    listed("ETH-USDT")
    return trader(USDT="100000", BTC="1")


@pytest.fixture
def bob() -> Trader:
    return trader(USDT="100000", BTC="1", ETH="10")


def test_orders_are_read_newest_first_page_by_page(
    ada: Trader, bob: Trader, django_assert_num_queries: Any
) -> None:
    placed = [ada.buy("0.001", f"{50_000 + number}") for number in range(5)]
    bob.buy("0.001", "40000")

    with django_assert_num_queries(1):
        first = orders_page(viewer=ada.user, account=ada.account, limit=2)
        shown = [order_json(order) for order in first.items]
    second = orders_page(viewer=ada.user, account=ada.account, limit=2, before=first.next)
    third = orders_page(viewer=ada.user, limit=2, before=second.next)

    assert [order["id"] for order in shown] == [str(placed[4].id), str(placed[3].id)]
    assert [order.id for order in second.items] == [placed[2].id, placed[1].id]
    assert ([order.id for order in third.items], third.next) == ([placed[0].id], None)


def test_orders_are_filtered(ada: Trader, bob: Trader, django_assert_num_queries: Any) -> None:
    bob.sell("0.002", "50000")
    filled = ada.buy("0.001", "50000")
    partly = ada.buy("0.0015", "50000", client_order_id="mine")
    ended = ada.buy("0.001", "40000")
    cancel_order(actor=ada.user, order_id=ended.id)
    waiting = ada.buy("0.1", "3000", market="ETH-USDT")

    def ids(client_order_id: str | None = None, **wanted: Any) -> list[int]:
        with django_assert_num_queries(1):
            page = orders_page(
                viewer=ada.user, account=ada.account, client_order_id=client_order_id,
                wanted=Wanted(**wanted),
            )  # fmt: skip
        return [order.id for order in page.items]

    assert ids() == [waiting.id, ended.id, partly.id, filled.id]
    assert ids(status="open") == [waiting.id, partly.id]
    assert ids(status="partially_filled") == [partly.id]
    assert ids(status="filled") == [filled.id]
    assert ids(status="cancelled") == [ended.id]
    assert ids(market="eth-usdt") == [waiting.id]
    assert ids(market="NONE") == []
    assert ids(side="buy", type="limit") == ids()
    assert ids(side="sell") == ids(type="stop") == []
    assert ids(start=partly.created_at) == [waiting.id, ended.id, partly.id]
    assert ids(end=partly.created_at) == [filled.id]
    assert ids(client_order_id="mine") == [partly.id]
    assert ids(client_order_id="mine", status="cancelled") == []
    with django_assert_num_queries(1):
        assert [row.id for row in open_orders(viewer=ada.user, account=ada.account)] == [
            waiting.id, partly.id,
        ]  # fmt: skip
    with django_assert_num_queries(1):
        order_json(order_for(viewer=ada.user, order_id=str(partly.id)))


def test_fills_are_their_owners_sides(
    ada: Trader, bob: Trader, django_assert_num_queries: Any
) -> None:
    bob.sell("0.002", "50000")
    first = ada.buy("0.001", "50000")
    second = ada.buy("0.001", "50000")

    with django_assert_num_queries(1):
        page = fills_page(viewer=ada.user, account=ada.account)
        mine = [fill_json(fill) for fill in page.items]
    mine_at = [fill.at for fill in page.items]
    theirs = [fill_json(fill) for fill in fills_page(viewer=bob.user).items]

    assert [(row["order_id"], row["side"], row["role"], row["fee"]) for row in mine] == [
        (str(second.id), "buy", "taker", "0.05"), (str(first.id), "buy", "taker", "0.05"),
    ]  # fmt: skip
    assert [(row["side"], row["role"], row["fee"]) for row in theirs] == [
        ("sell", "maker", "0.04"), ("sell", "maker", "0.04"),
    ]  # fmt: skip
    assert [row["trade_id"] for row in mine] == [row["trade_id"] for row in theirs]
    assert len({row["id"] for row in mine + theirs}) == 4
    (of_first,) = fills_page(viewer=ada.user, order_id=str(first.id)).items
    assert of_first.order_id == first.id
    assert fills_page(viewer=ada.user, order_id="x").items == []
    assert fills_page(viewer=ada.user, wanted=Wanted(market="ETH-USDT")).items == []
    assert len(fills_page(viewer=ada.user, wanted=Wanted(side="buy", role="taker")).items) == 2
    assert fills_page(viewer=ada.user, wanted=Wanted(role="maker")).items == []
    assert fills_page(viewer=ada.user, wanted=Wanted(end=mine_at[1])).items == []
    one = fills_page(viewer=ada.user, limit=1)
    (other,) = fills_page(viewer=ada.user, limit=1, before=one.next).items
    assert other.order_id == first.id


def test_nobody_reads_foreign_orders(ada: Trader, bob: Trader) -> None:
    ada.buy("0.001", "50000")

    for work in (orders_page, open_orders, fills_page):
        for viewer in (bob.user, None):
            with pytest.raises(NotFound) as refused:
                work(viewer=viewer, account=ada.account)
            assert refused.value.code == "unknown_account"
    assert orders_page(viewer=bob.user).items == []


@pytest.mark.parametrize(
    ("filters", "code"),
    [({"wanted": Wanted(status="closed")}, "invalid_status"), ({"before": "x"}, "invalid_cursor"),
     ({"wanted": Wanted(type="x")}, "invalid_type"), ({"wanted": Wanted(side="x")}, "invalid_side"),
     ({"limit": 0}, "invalid_limit")],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(
    ada: Trader, filters: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        orders_page(viewer=ada.user, **filters)

    assert refused.value.code == code


def test_placing_an_order_costs_few_queries(
    ada: Trader, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Market and, where the caller gave an id of his own, what is under it already."""
    sent: list[Any] = []

    class Stop(Exception):
        pass

    class NoEngine:
        def submit_many(self, commands: list[Any]) -> None:
            sent.extend(commands)
            raise Stop

    monkeypatch.setattr("apps.trades.actions.get_gateway", NoEngine)

    with django_assert_max_num_queries(1), pytest.raises(Stop):
        ada.buy("0.001", "50000")
    with django_assert_max_num_queries(2), pytest.raises(Stop):
        ada.buy("0.001", "50000", client_order_id="mine")

    assert [command.account_id for command in sent] == [ada.account.id] * 2


def test_a_fee_stands_beside_what_it_was_taken_from(ada: Trader, bob: Trader) -> None:
    bob.sell("0.002", "50000")
    ada.buy("0.002", "50000")

    def shown(who: Trader) -> list[tuple[object, ...]]:
        page = ledger_page(viewer=who.user, account=who.account, limit=2)
        return [
            tuple(entry_json(row)[name] for name in ("asset", "amount", "fee", "kind"))
            for row in page.items
        ]

    assert shown(ada) == [
        ("BTC", "0.00200000", "0.00000000", "trade"),
        ("USDT", "-100.10", "0.10", "trade"),
    ]
    assert shown(bob) == [
        ("USDT", "99.92", "0.08", "trade"),
        ("BTC", "-0.00200000", "0.00000000", "trade"),
    ]


def test_fees_are_a_flow_of_their_own(ada: Trader, bob: Trader) -> None:
    started = clock.now() - timedelta(minutes=1)
    bob.sell("0.002", "50000")
    ada.buy("0.002", "50000")

    found = {
        (row.asset_id, row.kind): row.amount_minor
        for row in flows(
            viewer=ada.user, account=ada.account, since=started, step=timedelta(hours=1)
        )
    }

    assert found == {
        (1, "deposit"): 100_000 * 10**8,
        (2, "deposit"): 10**8,
        (1, "trade"): -100 * 10**8,
        (1, "fee"): -10_000_000,
        (2, "trade"): 200_000,
    }
    with pytest.raises(NotFound):
        flows(viewer=None, account=ada.account, since=started, step=timedelta(hours=1))
    assert flows(viewer=bob.user, account=ada.account, since=started,
                 step=timedelta(hours=1)) == []  # fmt: skip


@pytest.mark.parametrize(
    ("exits", "button", "label", "told"),
    [
        ({"take_profit_price": "60000"}, "Cancel both",
         "Cancel both: the exit and the rest of its purchase",
         "The exit is cancelled, and so is what was left of the purchase."),
        ({"take_profit_price": "60000", "stop_loss_price": "40000"}, "Cancel all 3",
         "Cancel all 3: both exits and the rest of their purchase",
         "Both exits are cancelled, and so is what was left of the purchase."),
    ],
)  # fmt: skip
def test_who_cancels_an_exit_is_told_that_the_rest_of_the_purchase_ends(
    client: Client, exits: dict[str, str], button: str, label: str, told: str
) -> None:
    house()
    listed()
    ada, bob = trader(USDT="10000"), trader(BTC="1")
    bob.sell("0.01", "50000")
    purchase = ada.place(side="buy", order_type="limit", quantity="0.02", price="50000", **exits)
    profit = Order.objects.get(parent_order_id=purchase.id, price_ticks__gt=0)
    client.force_login(ada.user)

    pages = [client.get(path).content.decode() for path in ("/orders", "/trade/BTC-USDT")]
    after = client.post(f"/orders/{profit.id}/cancel", follow=True).content.decode()

    for page in pages:
        assert f'aria-label="{label}"' in page
        assert f">{button}<" in page
    assert told in after
    assert not Order.objects.filter(account=ada.account, status="open").exists()
