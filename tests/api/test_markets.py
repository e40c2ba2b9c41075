"""Public market data through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.realtime.connections import key
from apps.core.realtime.publish import SOURCE_PREFIX, snapshot_key, snapshot_text
from apps.markets.realtime import SOURCE
from tests.api.conftest import Person, code_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
BTC = {
    "symbol": "BTC-USDT",
    "base": "BTC",
    "quote": "USDT",
    "state": "open",
    "tick_size": "0.01",
    "lot_size": "0.00001",
    "min_quantity": "0.00001",
    "max_quantity": "1000.00000",
    "min_notional": "5.00",
    "max_notional": "20000000.00",
    "maker_fee": "0.0008",
    "taker_fee": "0.0010",
    "price_band": "0.10",
    "phase": "trading",
    "phase_until": None,
    "auction": None,
    "last_auction": None,
}


def _candle(at: Any, close_ticks: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO markets_candle (instrument_id, at, open_ticks, high_ticks, low_ticks,"
            " close_ticks, volume_lots, quote_minor, trade_count, synthetic)"
            " VALUES (1, %s, 100, 120, 90, %s, 3, 30000000000, 1, true)",
            [at, close_ticks],
        )


def _publish(valkey: redis.Redis, symbol: str, seq: int, data: object) -> None:
    topic = f"market.{symbol}.book"
    valkey.set(snapshot_key(topic), snapshot_text(topic, seq, data))
    valkey.set(key(SOURCE_PREFIX + SOURCE), "1", px=5000)


def test_all_markets_are_listed(anybody: APIClient) -> None:
    response = anybody.get("/api/v1/markets")

    assert response.status_code == 200
    body = response.json()
    assert [row["symbol"] for row in body["items"]] == ["BTC-USDT", "ETH-USDT"]
    assert body["items"][0] == BTC
    assert body["next"] is None


def test_one_market(anybody: APIClient) -> None:
    assert anybody.get("/api/v1/markets/BTC-USDT").json() == BTC
    assert anybody.get("/api/v1/markets/btc-usdt").json() == BTC


@pytest.mark.parametrize("path", ["", "/book", "/trades", "/candles", "/ticker"])
@pytest.mark.parametrize(
    "symbol", ["NONE-USDT", "BTC", "x" * 300, "%00", "1' OR '1'='1", "..", "BTC-USDT%0d%0aX:y", "é"]
)
def test_an_unknown_market_is_not_found(anybody: APIClient, path: str, symbol: str) -> None:
    response = anybody.get(f"/api/v1/markets/{symbol}{path}")

    status, code = code_of(response)
    assert status == 404
    assert code in ("unknown_market", "not_found")


def test_the_book_is_what_was_published_last(anybody: APIClient, valkey: redis.Redis) -> None:
    data = {
        "bids": [["100.00", "1.00000"], ["99.99", "2.00000"], ["99.98", "3.00000"]],
        "asks": [["100.01", "4.00000"]],
    }
    _publish(valkey, "BTC-USDT", 77, data)

    whole = anybody.get("/api/v1/markets/BTC-USDT/book").json()
    top = anybody.get("/api/v1/markets/BTC-USDT/book", {"depth": 2}).json()

    assert whole == {"market": "BTC-USDT", "seq": 77, **data}
    assert top["bids"] == data["bids"][:2]
    assert top["asks"] == data["asks"]
    assert anybody.get("/api/v1/markets/BTC-USDT/book", {"depth": 10**9}).status_code == 200


@pytest.mark.parametrize("depth", ["0", "-1", "x", "1e3", ""])
def test_a_wrong_depth_is_refused(anybody: APIClient, depth: str) -> None:
    response = anybody.get("/api/v1/markets/BTC-USDT/book", {"depth": depth})

    assert code_of(response) == (400, "invalid_depth")


def test_a_book_that_was_never_published_is_not_there_yet(anybody: APIClient) -> None:
    response = anybody.get("/api/v1/markets/BTC-USDT/book")

    assert code_of(response) == (503, "book_unavailable")
    assert response["Retry-After"] == "1"


def test_a_book_whose_publisher_is_gone_is_not_shown(
    anybody: APIClient, valkey: redis.Redis
) -> None:
    _publish(valkey, "BTC-USDT", 5, {"bids": [["3000.00", "1.0000"]], "asks": []})
    valkey.delete(key(SOURCE_PREFIX + SOURCE))

    assert code_of(anybody.get("/api/v1/markets/BTC-USDT/book")) == (503, "book_unavailable")
    assert anybody.get("/api/v1/markets/BTC-USDT/ticker").json()["bid"] is None


def test_candles_come_oldest_first(anybody: APIClient) -> None:
    minute = clock.now().replace(second=0, microsecond=0)
    for age in (2, 1, 0):
        _candle(minute - timedelta(minutes=age), 110 + age)

    response = anybody.get("/api/v1/markets/BTC-USDT/candles", {"limit": 2})

    body = response.json()
    assert (body["market"], body["interval"]) == ("BTC-USDT", "1m")
    assert body["items"] == [
        {
            "at": clock.iso(minute - timedelta(minutes=age)),
            "open": "1.00",
            "high": "1.20",
            "low": "0.90",
            "close": f"1.1{age}",
            "volume": "0.00003",
            "quote_volume": "300.00",
        }
        for age in (1, 0)
    ]


def test_candles_of_a_span_and_of_longer_intervals(anybody: APIClient) -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    for minute in range(4):
        _candle(hour + timedelta(minutes=minute), 110 + minute)

    path = "/api/v1/markets/BTC-USDT/candles"
    span = {"start": clock.iso(hour), "end": clock.iso(hour + timedelta(minutes=2))}
    assert len(anybody.get(path, span).json()["items"]) == 2
    rolled = anybody.get(path, {"interval": "1h"}).json()["items"]

    assert [(row["at"], row["open"], row["close"], row["volume"]) for row in rolled] == [
        (clock.iso(hour), "1.00", "1.13", "0.00012")
    ]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"interval": "2m"}, "invalid_choice"),
        ({"interval": ""}, "invalid_choice"),
        ({"start": "yesterday"}, "invalid_time"),
        ({"start": "2026-01-01T00:00:00"}, "invalid_time"),
        ({"end": "0001-01-01T00:00:00+23:59"}, "invalid_time"),
        ({"limit": "0"}, "invalid_limit"),
        ({"order_by": "close"}, "unknown_parameter"),
    ],
    ids=str,
)
def test_a_wrong_wish_for_candles_is_refused(
    anybody: APIClient, query: dict[str, str], code: str
) -> None:
    assert code_of(anybody.get("/api/v1/markets/BTC-USDT/candles", query)) == (400, code)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("interval", ["1m", "1w"])
def test_the_ends_of_time_are_no_accident(anybody: APIClient, at: str, interval: str) -> None:
    for name in ("start", "end"):
        response = anybody.get("/api/v1/markets/BTC-USDT/candles", {name: at, "interval": interval})
        assert code_of(response) == (400, "invalid_time")


def test_a_market_that_never_traded_has_an_empty_ticker(anybody: APIClient) -> None:
    assert anybody.get("/api/v1/markets/BTC-USDT/ticker").json() == {
        "market": "BTC-USDT",
        "last": None,
        "open": None,
        "high": None,
        "low": None,
        "change": "0.00",
        "volume": "0.00000",
        "quote_volume": "0.00",
        "bid": None,
        "ask": None,
        "at": None,
        "phase": "trading",
        "phase_until": None,
        "auction": None,
        "last_auction": None,
    }


def test_tickers_of_all_markets_have_the_best_prices_of_the_books(
    anybody: APIClient, valkey: redis.Redis
) -> None:
    _publish(valkey, "ETH-USDT", 5, {"bids": [["3000.00", "1.0000"]], "asks": []})

    body = anybody.get("/api/v1/tickers").json()

    assert [(row["market"], row["bid"], row["ask"]) for row in body["items"]] == [
        ("BTC-USDT", None, None),
        ("ETH-USDT", "3000.00", None),
    ]


def test_an_answer_that_is_known_already_is_not_sent_again(anybody: APIClient) -> None:
    first = anybody.get("/api/v1/markets")
    again = anybody.get("/api/v1/markets", headers={"If-None-Match": first["ETag"]})
    other = anybody.get("/api/v1/markets", headers={"If-None-Match": '"other"'})

    assert first["Cache-Control"] == "no-cache"
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert other.status_code == 200


def test_public_data_does_not_look_at_tokens(anybody: APIClient) -> None:
    anybody.credentials(HTTP_AUTHORIZATION="Bearer broken")

    assert anybody.get("/api/v1/markets").status_code == 200


def test_every_answer_says_how_much_is_left(anybody: APIClient, settings: Any) -> None:
    settings.API_BURST, settings.API_PER_SECOND = 2, 0.01

    answers = [anybody.get("/api/v1/markets") for _ in range(3)]

    assert [answer["X-RateLimit-Limit"] for answer in answers] == ["2"] * 3
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert code_of(answers[2]) == (429, "rate_limited")
    assert 99 <= int(answers[2]["Retry-After"]) <= 100


@pytest.mark.parametrize("header", [{}, {"HTTP_AUTHORIZATION": "Bearer broken"}])
def test_who_is_refused_is_counted_too(
    anybody: APIClient, settings: Any, header: dict[str, str]
) -> None:
    settings.API_BURST, settings.API_PER_SECOND = 2, 0.01
    anybody.credentials(**header)

    answers = [anybody.get("/api/v1/me").status_code for _ in range(3)]

    assert answers == [401, 401, 429]


def test_a_persons_limit_is_not_that_of_the_address(
    ada: Person, anybody: APIClient, settings: Any
) -> None:
    settings.API_BURST, settings.API_PER_SECOND = 2, 0.01
    for _ in range(3):
        anybody.get("/api/v1/markets")

    assert anybody.get("/api/v1/markets").status_code == 429
    assert ada.client.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace", "x"])
def test_other_methods_are_not_possible(anybody: APIClient, method: str) -> None:
    response = anybody.generic(method.upper(), "/api/v1/markets")

    assert code_of(response) == (405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"


def test_only_json_comes_from_here(anybody: APIClient) -> None:
    response = anybody.get("/api/v1/markets", headers={"Accept": "application/xml"})

    assert code_of(response) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("path", "count"),
    [("markets", 1), ("markets/BTC-USDT", 1), ("markets/BTC-USDT/trades", 2),
     ("markets/BTC-USDT/candles", 2), ("markets/BTC-USDT/ticker", 2), ("tickers", 2)],
)  # fmt: skip
def test_reads_cost_a_fixed_number_of_queries(
    anybody: APIClient, django_assert_num_queries: Any, path: str, count: int
) -> None:
    with django_assert_num_queries(count):
        anybody.get(f"/api/v1/{path}")


def test_the_time(anybody: APIClient) -> None:
    before = clock.now_ns() // 1_000_000

    response = anybody.get("/api/v1/time")

    body = response.json()
    assert before <= body["unix_ms"] <= clock.now_ns() // 1_000_000
    assert clock.to_ns(clock.parse_iso(body["time"])) // 1_000_000 == body["unix_ms"]
    assert response["Cache-Control"] == "no-store"
