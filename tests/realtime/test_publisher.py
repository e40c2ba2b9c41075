"""The publishing process against a real journal, tables and Valkey."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import redis
from django.db import connections

from apps.core.realtime import publish
from apps.core.realtime.connections import client, key
from apps.local.valkey import FORGET, Valkey
from apps.markets import publisher as publisher_module
from apps.markets.models import Instrument
from apps.markets.presentation import candle_json, ticker_json
from apps.markets.publisher import Publisher
from apps.markets.queries import candles, ticker
from apps.markets.rules import format_price, format_quantity
from apps.matching.follow import replica
from apps.matching.gateway import Gateway
from tests import factories
from tests.factories import Trader

WAIT_SECONDS = 15.0


class Running:
    """A publisher in a thread of the test."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.publisher = Publisher(self.stop)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.publisher.run()
        finally:
            connections.close_all()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(WAIT_SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def start(valkey: redis.Redis, transactional_db: None) -> Iterator[Callable[[], Running]]:
    running: list[Running] = []

    def begin() -> Running:
        running.append(Running())
        return running[-1]

    yield begin
    for each in running:
        each.end()


@pytest.fixture
def market(transactional_db: None, engine_gateway: Gateway) -> Instrument:
    factories.house()
    return factories.listed()


@pytest.fixture
def traders(market: Instrument) -> tuple[Trader, Trader]:
    return factories.trader(USDT="1000000", BTC="10"), factories.trader(USDT="1000000", BTC="10")


def stored(topic: str) -> Any:
    found = client().get(publish.snapshot_key(topic))
    return None if found is None else orjson.loads(found)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("It did not come in time.")


def expected_book(market: Instrument) -> dict[str, list[list[str]]]:
    _, view = replica()
    bids, asks = view.depth(market.id)
    return {
        name: [[format_price(p, market), format_quantity(q, market)] for p, q in levels]
        for name, levels in (("bids", bids), ("asks", asks))
    }


def book_is_told(market: Instrument) -> bool:
    found = stored("market.BTC-USDT.book")
    return found is not None and found["data"] == expected_book(market)


def test_what_was_there_before_and_what_comes_after_is_published(
    start: Callable[[], Running], market: Instrument, traders: tuple[Trader, Trader]
) -> None:
    buyer, seller = traders
    buyer.buy("0.5", "60000.00")
    seller.sell("0.2", "60000.00")

    start()
    wait_for(lambda: book_is_told(market))
    seller.sell("0.1", "60000.00")
    seller.sell("0.3", "60010.00")
    wait_for(lambda: book_is_told(market))
    tape = wait_for(
        lambda: (
            (found := stored("market.BTC-USDT.trades"))
            and len(found["data"]["trades"]) == 2
            and found
        )
    )["data"]["trades"]

    assert stored("market.BTC-USDT.book")["data"] == {
        "bids": [["60000.00", "0.20000"]], "asks": [["60010.00", "0.30000"]],
    }  # fmt: skip
    assert [(each["price"], each["quantity"], each["side"]) for each in tape] == [
        ("60000.00", "0.20000", "sell"), ("60000.00", "0.10000", "sell"),
    ]  # fmt: skip
    minutes = candles(instrument=market, interval="1m", limit=2)
    assert stored("market.BTC-USDT.candles.1m")["data"] == {
        "candles": [candle_json(each, market) for each in minutes]
    }
    told = ticker_json(ticker(instrument=market), 6_000_000, 6_001_000)
    wait_for(lambda: stored("market.BTC-USDT.ticker")["data"] == told)
    wait_for(lambda: stored("tickers")["data"] == {"tickers": [told]})


def test_a_second_publisher_waits_and_takes_over(
    start: Callable[[], Running], market: Instrument, traders: tuple[Trader, Trader]
) -> None:
    first = start()
    wait_for(lambda: stored("tickers"))
    second = start()
    traders[0].buy("1", "50000.00")
    wait_for(lambda: book_is_told(market))
    assert second.publisher.resyncs == -1

    first.end()
    traders[0].buy("1", "49000.00")

    wait_for(lambda: book_is_told(market))
    assert second.publisher.resyncs == 0


def test_who_lost_the_lock_sends_nothing_more(
    start: Callable[[], Running], market: Instrument, traders: tuple[Trader, Trader],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    running = start()
    wait_for(lambda: stored("tickers"))
    # It does not look again at the lock by itself, like a process that was asleep.
    monkeypatch.setattr(publisher_module.Lease, "keep", lambda self, fresh: True)
    client().set(key("live:publisher"), "somebody else")

    traders[0].buy("1", "50000.00")
    time.sleep(0.5)
    assert stored("market.BTC-USDT.book")["data"] == {"bids": [], "asks": []}

    monkeypatch.undo()
    client().delete(key("live:publisher"))
    wait_for(lambda: book_is_told(market))
    assert running.publisher.resyncs == 1


def test_a_new_market_is_published_too(
    start: Callable[[], Running], market: Instrument, traders: tuple[Trader, Trader]
) -> None:
    running = start()
    wait_for(lambda: stored("tickers"))

    factories.listed("ETH-USDT")

    wait_for(lambda: len(stored("tickers")["data"]["tickers"]) == 2)
    assert running.publisher.resyncs == 1


def test_readers_are_told_that_the_publisher_is_alive(
    start: Callable[[], Running], market: Instrument
) -> None:
    running = start()
    wait_for(lambda: client().exists(key("live:source:markets")))

    running.end()

    assert not client().exists(key("live:source:markets"))


def test_valkey_may_go_and_come_back_empty(
    settings: Any, market: Instrument, traders: tuple[Trader, Trader], server_folder: Any,
    free_port: Callable[[], int], start: Callable[[], Running],
) -> None:  # fmt: skip
    with Valkey(server_folder, free_port(), options=FORGET) as valkey:
        settings.REDIS_URL = valkey.url()
        running = start()
        wait_for(lambda: stored("tickers"))

        valkey.kill()
        traders[0].buy("1", "50000.00")
        valkey.start()

        wait_for(lambda: book_is_told(market))
        running.end()
