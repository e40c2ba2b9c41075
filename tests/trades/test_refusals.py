"""Every reason of the engine has a sentence that says what happened and what to do."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.core import clock
from apps.core.errors import (
    DomainError,
    Invalid,
    NotFound,
    Paused,
    Refused,
    TooMany,
    Unavailable,
)
from apps.engine.messages import BUY, IOC, LIMIT, MARKET, STOP_LIMIT, Limits, SetAccount, Terms
from apps.markets.actions import set_instrument
from apps.markets.models import Instrument
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.trades.actions import cancel_all, cancel_order, place_orders
from apps.trades.models import Order
from apps.trades.refusals import REFUSALS, refusal
from tests.factories import Trader, listed, trader

MINOR = 10**8


@pytest.fixture
def ada() -> Trader:
    listed()
    return trader(USDT="1000", BTC="1")


def test_every_reason_an_order_can_be_refused_for_has_its_row() -> None:
    """The reasons are read from the engine's own source: what its order entry returns."""
    # What the gateway answers for a command that the engine never decided on.
    found = {"malformed", "quarantined"}
    for name in ("entry.py", "risk.py", "block_entry.py", "blocks.py"):
        tree = ast.parse((Path(settings.BASE_DIR) / "apps" / "engine" / name).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Return) and node.value is not None:
                found |= {
                    each.value
                    for each in ast.walk(node.value)
                    if isinstance(each, ast.Constant)
                    and isinstance(each.value, str)
                    and each.value.isidentifier()
                }
    # What concerns markets and accounts, not orders.
    found -= {"invalid_instrument", "invalid_account"}

    assert len(found) > 20
    assert found - REFUSALS.keys() == set()


def test_every_sentence_can_be_said(ada: Trader) -> None:
    instrument = Instrument.objects.select_related("base", "quote").get()
    for terms in (
        Terms(1, BUY, LIMIT, IOC, 100, price_ticks=1),
        Terms(1, BUY, MARKET, IOC, quote_minor=100),
        Terms(1, BUY, MARKET, IOC, 100),
        Terms(1, BUY, STOP_LIMIT, IOC, 100, price_ticks=1, stop_ticks=1),
    ):
        for reason, row in REFUSALS.items():
            said = refusal(reason, terms=terms, instrument=instrument, account=ada.account)
            assert (said.code, type(said)) == (row.code, row.family)
            assert said.message.endswith(" Nothing was ordered.")
            assert "{" not in said.message
            assert "None" not in said.message


def test_a_reason_without_a_row_is_not_hidden(ada: Trader) -> None:
    said = refusal(
        "brand_new", terms=Terms(1, BUY, LIMIT, IOC, 1, price_ticks=1),
        instrument=Instrument.objects.select_related("base", "quote").get(), account=ada.account,
    )  # fmt: skip

    assert isinstance(said, Refused)
    assert said.message == "The exchange refused this order (brand_new). Nothing was ordered."


def refused_with(ada: Trader, **asked: Any) -> DomainError:
    orders = Order.objects.count()
    balances = (ada.has("USDT"), ada.has("BTC"))
    with pytest.raises(DomainError) as refused:
        ada.place(**{"side": "buy", "quantity": "0.01", "price": "50000", **asked})
    assert Order.objects.count() == orders
    assert (ada.has("USDT"), ada.has("BTC")) == balances
    return refused.value


def test_the_engine_refuses_in_words(ada: Trader) -> None:
    bob = trader(USDT="100000", BTC="10")
    carol = trader(USDT="100000")
    bob.sell("0.01", "50000")
    carol.buy("0.01", "50000")

    said = {
        error.code: error.message.removesuffix(" Nothing was ordered.")
        for error in (
            refused_with(ada, quantity="0.00001", price="50000"),
            refused_with(ada, quantity="1001", price="50000"),
            refused_with(ada, quantity="1000", price="50000"),
            refused_with(ada, price="56000"),
            refused_with(ada, side="sell", quantity="2", price="50000"),
            refused_with(ada, order_type="stop", price=None, stop_price="49000"),
        )
    }

    assert said == {
        "notional": "An order in BTC-USDT must be worth at least 5.00 USDT. Order more.",
        "max_quantity": "An order in BTC-USDT is at most 1000.00000 BTC. Split yours.",
        "max_notional": "An order in BTC-USDT is worth at most 20000000.00 USDT. Split yours.",
        "price_collar": "Your price is more than 10 % away from the market's. Move it closer.",
        "insufficient_funds": "Your balance is too small: 2.00000000 BTC needed, 1.00000000 BTC"
        " available. Order less, or deposit more.",
        "would_trigger": "The market has reached your stop price of 49000.00 already. Choose one"
        " that it has yet to reach, or place a market order.",
    }


def test_a_post_only_order_that_would_take_is_refused(ada: Trader) -> None:
    trader(BTC="1").sell("0.01", "50000")

    said = refused_with(ada, post_only=True)

    assert (said.code, said.data) == ("post_only_would_take", {"field": "price"})


def test_a_market_order_without_a_market_is_refused(ada: Trader) -> None:
    said = refused_with(ada, order_type="market", price=None)

    assert said.code == "no_reference"


def test_limits_and_states_of_an_account(ada: Trader) -> None:
    account = ada.account

    def set_account(state: int, limits: Limits) -> None:
        command = SetAccount(
            new_command_id(), valid_until_ns(5), account.id, state, account.trade_group, limits
        )
        assert get_gateway().submit(command).rejected is None

    set_account(3, Limits())
    blocked = refused_with(ada)
    set_account(2, Limits())
    reduce_only = refused_with(ada)
    set_account(1, Limits(max_open_orders=1, orders_per_second=0))
    ada.buy("0.001", "50000")
    open_orders = refused_with(ada)

    # Sent together, they are carried out in the same moment.
    asked = {"market": "BTC-USDT", "order_type": "limit", "side": "buy", "quantity": "0.001"}

    def last_of_three(*prices: str) -> str | None:
        outcomes = place_orders(
            actor=ada.user, account=account, now=clock.now(),
            orders=[{**asked, "price": price} for price in prices],
        )  # fmt: skip
        return outcomes[-1].code if isinstance(outcomes[-1], DomainError) else None

    set_account(1, Limits(max_open_orders=0, orders_per_second=2))
    too_fast = last_of_three("40000", "40001", "40002")
    set_account(1, Limits(orders_per_second=0, repeated_orders_per_second=2))
    repeated = last_of_three("40000", "40000", "40000")
    different = last_of_three("40001", "40002", "40003")

    assert (blocked.code, reduce_only.code, open_orders.code) == (
        "account_blocked", "reduce_only", "max_open_orders",
    )  # fmt: skip
    assert (too_fast, repeated, different) == ("rate_limited", "repeated_order", None)


def test_refusals_have_families(ada: Trader) -> None:
    instrument = Instrument.objects.select_related("base", "quote").get()
    terms = Terms(1, BUY, LIMIT, IOC, 1, price_ticks=1)

    def family(reason: str) -> tuple[type[DomainError], object]:
        said = refusal(reason, terms=terms, instrument=instrument, account=ada.account)
        return type(said), said.data.get("retry_after_seconds")

    assert family("rate_limit") == (TooMany, 1)
    assert family("expired_command") == (Unavailable, 1)
    assert family("unknown_market") == (NotFound, None)
    assert family("insufficient_balance") == (Refused, None)
    assert family("min_notional") == (Invalid, None)
    assert family("market_halted") == (Paused, 10)
    assert family("malformed") == (Unavailable, 60)


def test_an_order_that_came_too_late_is_not_carried_out(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.trades.actions.VALID_SECONDS", -1.0)

    said = refused_with(ada)

    assert (said.code, type(said)) == ("expired_command", Unavailable)


def test_a_cancel_that_came_too_late_leaves_the_order_open(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ada.buy("0.001", "50000")
    monkeypatch.setattr("apps.trades.actions.VALID_SECONDS", -1.0)

    for work in (
        lambda: cancel_order(actor=ada.user, order_id=order.id),
        lambda: cancel_all(actor=ada.user, account=ada.account),
    ):
        with pytest.raises(Unavailable) as refused:
            work()
        assert refused.value.code == "expired_command"

    assert Order.objects.get(id=order.id).status == "open"


def test_a_market_that_takes_cancellations_only(ada: Trader) -> None:
    instrument = Instrument.objects.get()
    set_instrument(actor=None, instrument=instrument, state=Instrument.State.CANCEL_ONLY)

    said = refused_with(ada, expires_at=clock.now() + timedelta(days=1), time_in_force="gtd")

    assert (said.code, said.data) == ("trading_halted", {"retry_after_seconds": 10})
    assert said.message == (
        "BTC-USDT takes only cancellations at the moment. Try again later. Nothing was ordered."
    )
