"""The synthetic feed: the same from the same seed, well-formed, and alive like a market."""

from __future__ import annotations

import hashlib
from itertools import islice
from math import log
from statistics import correlation, pstdev

import pytest

from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import DEPTH, MarketScale, MergedFeed, Step
from apps.markets.feeds.prices import FINE, MINUTE_NS, Chance, PriceProcess
from apps.markets.feeds.recorded import RecordedFeed
from apps.markets.feeds.synthetic import STEP_NS, SyntheticFeed, start_prices
from apps.markets.feeds.world import ASSETS, MARKETS, MINOR
from tests.feeds.captures import BTC, small_capture, write

SCALES = [
    BTC,
    MarketScale(2, "ETH-USDT", 1_000_000, 10_000),
    MarketScale(3, "SOL-USDT", 1_000_000, 100_000),
    MarketScale(4, "XRP-USDT", 10_000, 10_000_000),
    MarketScale(5, "DOGE-USDT", 1_000, 100_000_000),
    MarketScale(6, "ETH-BTC", 1_000, 100_000),
]


def feed(seed: int = 7, **arguments) -> SyntheticFeed:
    return SyntheticFeed(SCALES, seed=seed, start_fine=start_prices({}), **arguments)


def digest(steps: list[Step]) -> str:
    return hashlib.sha256(repr(steps).encode()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (digest(list(islice(feed(seed).steps(), 400))) for seed in (7, 7, 8))

    assert first == again
    assert first != other


def test_the_numbers_of_a_seed_never_change():
    # A change of these bytes changes what everybody sees from a seed: it must be meant.
    steps = list(islice(feed(7).steps(), 50))

    assert steps[0].markets[0].bids[0][0] == 9_999_899
    assert digest(steps)[:16] == "2e7fab331f6ecfd3"


def test_the_first_step_shows_every_market_at_its_price():
    step = next(iter(feed().steps()))

    assert [market.market_id for market in step.markets] == [1, 2, 3, 4, 5, 6]
    assert all(market.restarted for market in step.markets)
    for scale, market in zip(SCALES, step.markets, strict=True):
        asset = ASSETS[MARKETS[scale.symbol].base]
        price = market.middle_ticks() * scale.tick_minor
        if scale.symbol != "ETH-BTC":
            assert abs(price - asset.start_minor) * 500 < asset.start_minor
    assert 3_400 < step.markets[5].middle_ticks() < 3_600


def test_a_world_without_markets_ends_at_once():
    assert list(SyntheticFeed([], seed=1, start_fine=start_prices({})).steps()) == []


def test_books_are_well_formed_and_prints_happen_where_they_can():
    last: dict[int, tuple] = {}
    trades = 0
    for step in islice(feed().steps(), 3_000):
        for market in step.markets:
            for levels, sign in ((market.bids, -1), (market.asks, 1)):
                prices = [sign * price for price, _ in levels]
                assert len(levels) == DEPTH
                assert prices == sorted(set(prices))
                assert all(price > 0 and lots > 0 for price, lots in levels)
            assert market.bids[0][0] < market.asks[0][0]
            for trade in market.trades:
                bids, asks = last[market.market_id]
                assert trade.quantity_lots > 0
                taken = dict(asks if trade.taker_side == BUY else bids)
                assert taken[trade.price_ticks] >= trade.quantity_lots
                trades += 1
            last[market.market_id] = market.bids, market.asks
    assert trades > 500


def test_time_goes_on_by_whole_steps():
    times = [step.at_ns for step in islice(feed().steps(), 200)]

    assert times == sorted(set(times))
    assert all(at_ns % STEP_NS == 0 for at_ns in times)


def test_a_quiet_book_costs_few_changes():
    changed = steps = 0
    last: dict[int, tuple[dict, dict]] = {}
    for step in islice(feed().steps(), 3_000):
        steps += 1
        for market in step.markets:
            sides = dict(market.bids), dict(market.asks)
            for before, after in zip(last.get(market.market_id, sides), sides, strict=True):
                changed += sum(before.get(price) != lots for price, lots in after.items())
            last[market.market_id] = sides
    assert changed / steps < 10


def test_buyers_and_sellers_both_come():
    sides = [
        trade.taker_side
        for step in islice(feed().steps(), 2_000)
        for market in step.markets
        for trade in market.trades
    ]

    assert 0.3 < sides.count(BUY) / len(sides) < 0.7
    assert set(sides) == {BUY, SELL}


def hourly_moves(days: int = 40) -> dict[str, list[float]]:
    process = PriceProcess(Chance(11), start_prices({}), MINUTE_NS)
    moves: dict[str, list[float]] = {code: [] for code in ASSETS}
    for _ in range(days * 24):
        before = dict(process.fine)
        for _ in range(60):
            process.advance()
        for code, price in process.fine.items():
            moves[code].append(log(price / before[code]))
    return moves


def test_assets_move_together_and_about_as_much_as_they_should():
    moves = hourly_moves()

    for code, asset in ASSETS.items():
        yearly = pstdev(moves[code]) * (24 * 365) ** 0.5
        assert 0.6 < yearly / (asset.year_volatility_bps / 10_000) < 1.8
        if code != "BTC":
            assert 0.35 < correlation(moves["BTC"], moves[code]) < 0.9


def test_volatility_comes_in_clusters():
    sizes = [abs(move) for move in hourly_moves()["BTC"]]

    assert correlation(sizes[:-1], sizes[1:]) > 0.1


def test_eth_btc_is_the_quotient_of_the_two():
    last: dict[int, int] = {}
    for step in islice(feed().steps(), 3_000):
        for market in step.markets:
            last[market.market_id] = market.middle_ticks()
        quotient = last[2] * 10_000_000 // last[1] // 100
        assert abs(last[6] - quotient) <= 6


@pytest.mark.parametrize("factor", [1, 3])
def test_the_feed_starts_where_the_markets_stood(factor):
    prices = start_prices({"BTC-USDT": factor * 61_837 * MINOR, "ETH-BTC": 5})

    assert prices["BTC"] == factor * 61_837 * MINOR * FINE
    assert prices["ETH"] == 3_500 * MINOR * FINE


def test_a_steered_world_follows_the_recording(tmp_path):
    replay = RecordedFeed([write(tmp_path / "a.raw.gz", small_capture())], BTC, loop=True)
    synthetic = SyntheticFeed(
        SCALES[1:],
        seed=3,
        start_fine=start_prices({"BTC-USDT": 100 * MINOR}),
        steered=("BTC", lambda: replay.middle_ticks * BTC.tick_minor),
    )
    merged = MergedFeed((replay, synthetic))

    steps = list(islice(merged.steps(), 60))

    assert [step.at_ns for step in steps] == sorted({step.at_ns for step in steps})
    ids = [[market.market_id for market in step.markets] for step in steps]
    assert ids[0] == [1]
    assert ids[1] == [1, 2, 3, 4, 5, 6]
    eth_btc = next(market for market in steps[1].markets if market.market_id == 6)
    assert 3_400_000 < eth_btc.middle_ticks() < 3_600_000
    assert merged.counters["trades"] > 40
    assert merged.counters["synthetic_steps"] > 25
