"""Synthetic candles: well-formed, ending or starting exactly where they must."""

from __future__ import annotations

from itertools import pairwise

import pytest

from apps.markets.feeds.history import Candle, candles, draw_path, scaled_to_end
from apps.markets.feeds.prices import FINE
from apps.markets.feeds.synthetic import start_prices
from apps.markets.feeds.world import MINOR
from tests.feeds.test_synthetic import SCALES

FIRST = 29_000_000
TICK_LOT_MINOR = 10


def drawn(minutes: int = 600, **arguments) -> list[Candle]:
    path = draw_path(5, FIRST, minutes, start_prices({}), {})
    path = scaled_to_end(path, start_prices({}))
    return list(candles(path, SCALES[0], TICK_LOT_MINOR, 9, **arguments))


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.symbol)
def test_candles_follow_each_other_and_hold_together(scale):
    path = draw_path(5, FIRST, 600, start_prices({}), {})
    tick_lot_minor = scale.tick_minor * scale.lot_minor // MINOR

    made = list(candles(path, scale, tick_lot_minor, 9))

    assert [candle.minute for candle in made] == list(range(FIRST, FIRST + 600))
    for before, after in pairwise(made):
        assert after.open_ticks == before.close_ticks
    for candle in made:
        assert 0 < candle.low_ticks <= min(candle.open_ticks, candle.close_ticks)
        assert candle.high_ticks >= max(candle.open_ticks, candle.close_ticks)
        assert 1 <= candle.trade_count <= candle.volume_lots
        worth = candle.volume_lots * tick_lot_minor
        assert candle.low_ticks * worth <= candle.quote_minor <= candle.high_ticks * worth


def test_a_past_ends_exactly_where_the_feed_begins():
    assert drawn()[-1].close_ticks == 10_000_000


def test_a_path_between_two_prices_has_both():
    start, end = start_prices({}), {"BTC": 61_837 * MINOR * FINE}

    path = draw_path(5, FIRST, 600, start, end)

    assert path.closes["BTC"][0] == start["BTC"]
    assert path.closes["BTC"][-1] == end["BTC"]
    assert path.closes["ETH"][0] == start["ETH"]
    made = list(candles(path, SCALES[0], TICK_LOT_MINOR, 9))
    assert (made[0].open_ticks, made[-1].close_ticks) == (10_000_000, 6_183_700)


def test_a_market_goes_on_from_its_own_last_price_and_skips_what_it_has():
    whole = drawn()

    made = drawn(skip_minutes=500, start_ticks=9_000_000)

    assert [candle.minute for candle in made] == [candle.minute for candle in whole[500:]]
    assert made[0].open_ticks == 9_000_000
    assert made[-1].close_ticks == whole[-1].close_ticks


def test_the_same_seed_gives_the_same_candles():
    assert drawn() == drawn()


def test_busy_minutes_are_wide_minutes():
    made = sorted(drawn(3_000), key=lambda candle: candle.high_ticks - candle.low_ticks)

    quiet = sum(candle.volume_lots for candle in made[:1_000])
    wild = sum(candle.volume_lots for candle in made[-1_000:])
    assert wild > 1.3 * quiet
