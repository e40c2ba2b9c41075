"""From text to the engine's terms: what is read, and what each mistake is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core.errors import Invalid
from apps.engine.messages import (
    BUY,
    DECREMENT,
    EXPIRE_BOTH,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Special,
    Terms,
)
from apps.markets.models import Asset, Instrument
from apps.trades.rules import needed_minor
from apps.trades.terms import Asked, asked_of, check_client_order_id, terms_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
INSTRUMENT = Instrument(
    id=1, symbol="BTC-USDT", base=Asset(id=2, code="BTC", scale=8, display_decimals=8),
    quote=Asset(id=1, code="USDT", scale=8, display_decimals=2), tick_size_minor=1_000_000,
    lot_minor=1_000, tick_lot_minor=10, min_quantity_lots=1, max_quantity_lots=10**8,
    min_notional_minor=5 * 10**8, max_notional_minor=2 * 10**15, maker_fee_ppm=800,
    taker_fee_ppm=1_000, band_bps=1_000, state=1,
)  # fmt: skip


def asked(**more: Any) -> Asked:
    return Asked(**{"market": "BTC-USDT", "side": "buy", "order_type": "limit",
                    "quantity": "0.01", "price": "60000", **more})  # fmt: skip


def bare(order_type: str, **more: Any) -> Asked:
    return asked(order_type=order_type, **{"price": None, **more})


@pytest.mark.parametrize(
    ("given", "terms"),
    [
        (asked(), Terms(1, BUY, LIMIT, GTC, 1000, price_ticks=6_000_000)),
        (asked(side="sell", time_in_force="fok", self_trade_prevention="expire_both"),
         Terms(1, SELL, LIMIT, FOK, 1000, price_ticks=6_000_000, self_trade=EXPIRE_BOTH)),
        (asked(post_only=True), Terms(1, BUY, LIMIT, GTC, 1000, price_ticks=6_000_000,
                                      post_only=True)),
        (bare("market"), Terms(1, BUY, MARKET, IOC, 1000)),
        (bare("market", quantity=None, quote_amount="100.5"),
         Terms(1, BUY, MARKET, IOC, 0, quote_minor=10_050_000_000)),
        (bare("stop", stop_price="61000"), Terms(1, BUY, STOP, GTC, 1000, stop_ticks=6_100_000)),
        (asked(order_type="stop_limit", stop_price="61000", time_in_force="ioc"),
         Terms(1, BUY, STOP_LIMIT, IOC, 1000, price_ticks=6_000_000, stop_ticks=6_100_000)),
        (asked(display_quantity="0.0001", post_only=True),
         Terms(1, BUY, LIMIT, GTC, 1000, price_ticks=6_000_000, post_only=True,
               special=Special(display_lots=10))),
        (asked(self_trade_prevention="decrement"),
         Terms(1, BUY, LIMIT, GTC, 1000, price_ticks=6_000_000, self_trade=DECREMENT)),
        (bare("take_profit", stop_price="61000"),
         Terms(1, BUY, TAKE_PROFIT, GTC, 1000, stop_ticks=6_100_000)),
        (asked(order_type="take_profit_limit", stop_price="61000", time_in_force="fok"),
         Terms(1, BUY, TAKE_PROFIT_LIMIT, FOK, 1000, price_ticks=6_000_000,
               stop_ticks=6_100_000)),
        (bare("trailing_stop", trail_amount="12.34"),
         Terms(1, BUY, TRAILING_STOP, GTC, 1000, special=Special(trail_ticks=1_234))),
        (bare("trailing_stop", trail_percent="50", stop_price="61000"),
         Terms(1, BUY, TRAILING_STOP, GTC, 1000, stop_ticks=6_100_000,
               special=Special(trail_bps=5_000))),
        (asked(time_in_force="gtd", expires_at="2026-11-21T12:00:00.000001Z"),
         Terms(1, BUY, LIMIT, GTD, 1000, price_ticks=6_000_000,
               expires_at_ns=1_795_262_400_000_001_000)),
        (asked(time_in_force="gtd", expires_at="2026-11-21T14:00:00+02:00",
               quantity="0.00001"), None),
    ],
)  # fmt: skip
def test_text_becomes_terms(given: Asked, terms: Terms | None) -> None:
    if terms is None:
        with pytest.raises(Invalid) as refused:
            terms_of(given, INSTRUMENT, NOW)
        assert refused.value.code == "expires_at_past"
    else:
        assert terms_of(given, INSTRUMENT, NOW) == terms


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (asked(side="long"), "invalid_side", "side"),
        (asked(side=None), "invalid_side", "side"),
        (asked(side=["buy"]), "invalid_side", "side"),
        (asked(order_type="iceberg"), "invalid_type", "type"),
        (asked(time_in_force="day"), "invalid_time_in_force", "time_in_force"),
        (bare("market", time_in_force="gtc"), "invalid_time_in_force", "time_in_force"),
        (bare("stop", stop_price="1", time_in_force="ioc"), "invalid_time_in_force",
         "time_in_force"),
        (asked(quantity=None), "quantity_or_quote_amount", "quantity"),
        (asked(quote_amount="5"), "quantity_or_quote_amount", "quantity"),
        (asked(quantity=None, quote_amount="5"), "quote_amount_not_allowed", "quote_amount"),
        (bare("market", side="sell", quantity=None, quote_amount="5"),
         "quote_amount_not_allowed", "quote_amount"),
        (bare("market", time_in_force="fok", quantity=None, quote_amount="5"),
         "quote_amount_not_allowed", "quote_amount"),
        (asked(quantity=0.01), "amount_must_be_string", "quantity"),
        (asked(quantity="0"), "invalid_amount", "quantity"),
        (asked(quantity="0.000001"), "lot_size", "quantity"),
        (asked(quantity="0.000000001"), "precision", "quantity"),
        (bare("market", quantity=None, quote_amount="1e3"), "invalid_amount", "quote_amount"),
        (asked(price=None), "price_required", "price"),
        (asked(price="60000.005"), "tick_size", "price"),
        (asked(price="-1"), "invalid_amount", "price"),
        (asked(order_type="market"), "price_not_allowed", "price"),
        (asked(order_type="stop", stop_price="1"), "price_not_allowed", "price"),
        (asked(stop_price="61000"), "stop_price_not_allowed", "stop_price"),
        (bare("stop"), "stop_price_required", "stop_price"),
        (asked(order_type="stop_limit"), "stop_price_required", "stop_price"),
        (bare("stop", stop_price="1.001"), "tick_size", "stop_price"),
        (asked(display_quantity="0.01"), "invalid_display_quantity", "display_quantity"),
        (asked(display_quantity="0.00009"), "invalid_display_quantity", "display_quantity"),
        (asked(display_quantity="0.000001"), "lot_size", "display_quantity"),
        (asked(display_quantity="0.001", time_in_force="ioc"), "display_quantity_not_allowed",
         "display_quantity"),
        (bare("market", display_quantity="0.001"), "display_quantity_not_allowed",
         "display_quantity"),
        (bare("market", quantity=None, quote_amount="5", self_trade_prevention="decrement"),
         "invalid_self_trade_prevention", "self_trade_prevention"),
        (bare("take_profit"), "stop_price_required", "stop_price"),
        (bare("trailing_stop"), "trail_required", "trail_amount"),
        (bare("trailing_stop", trail_amount="1", trail_percent="1"), "trail_required",
         "trail_amount"),
        (bare("trailing_stop", trail_amount="0.001"), "tick_size", "trail_amount"),
        (bare("trailing_stop", trail_percent="0.001"), "precision", "trail_percent"),
        (bare("trailing_stop", trail_percent="50.01"), "invalid_trail", "trail_percent"),
        (bare("trailing_stop", trail_percent=1), "amount_must_be_string", "trail_percent"),
        (bare("trailing_stop", trail_amount="1", time_in_force="ioc"), "invalid_time_in_force",
         "time_in_force"),
        (asked(order_type="trailing_stop", trail_amount="1"), "price_not_allowed", "price"),
        (asked(trail_amount="1"), "trail_not_allowed", "trail_amount"),
        (bare("stop", stop_price="1", trail_percent="1"), "trail_not_allowed", "trail_percent"),
        (asked(time_in_force="gtd"), "expires_at_required", "expires_at"),
        (asked(expires_at="2027-01-01T00:00:00Z"), "expires_at_not_allowed", "expires_at"),
        (asked(time_in_force="gtd", expires_at="tomorrow"), "invalid_time", "expires_at"),
        (asked(time_in_force="gtd", expires_at="2027-01-01T00:00:00"), "invalid_time",
         "expires_at"),
        (asked(time_in_force="gtd", expires_at=NOW), "expires_at_past", "expires_at"),
        (asked(post_only=True, time_in_force="ioc"), "post_only_not_allowed", "post_only"),
        (bare("market", post_only=True), "post_only_not_allowed", "post_only"),
        (asked(post_only=1), "invalid_post_only", "post_only"),
        (asked(self_trade_prevention="none"), "invalid_self_trade_prevention",
         "self_trade_prevention"),
    ],
)  # fmt: skip
def test_each_mistake_has_a_code_a_field_and_words(given: Asked, code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        terms_of(given, INSTRUMENT, NOW)

    assert (refused.value.code, refused.value.data["field"]) == (code, field)
    assert refused.value.message.endswith(" Nothing was ordered.")


@pytest.mark.parametrize("text", ["a", "A-z_0", "x" * 64])
def test_a_client_order_id_is_letters_digits_and_two_signs(text: str) -> None:
    assert check_client_order_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a.b", "ä", "a\n", "a:b", 7, None, b"a"])
def test_any_other_client_order_id_is_refused(text: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_client_order_id(text)

    assert (refused.value.code, refused.value.data) == (
        "invalid_client_order_id",
        {"field": "client_order_id"},
    )


def test_fields_of_the_api_become_arguments() -> None:
    assert asked_of({"market": "BTC-USDT", "side": "buy", "type": "limit", "price": None,
                     "quantity": "1"}) == {
        "market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (asked(), 60_060_000_001),
        (asked(post_only=True), 60_048_000_001),
        (asked(side="sell"), 1_000_000),
        (bare("market"), None),
        (bare("market", quantity=None, quote_amount="100"), 10_000_000_000),
        # A stop-market order reserves up to the band above its stop.
        (bare("stop", stop_price="60000"), 66_066_000_001),
        (asked(quantity="0.00001", price="0.07"), 72),
    ],
)
def test_what_an_order_would_reserve(given: Asked, needed: int | None) -> None:
    assert needed_minor(terms_of(given, INSTRUMENT, NOW - timedelta(days=1)), INSTRUMENT) == needed
