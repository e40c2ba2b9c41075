"""Candle history in the database: written once, continued after a rest, changing nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from apps.markets.actions import list_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.feeds import sources
from apps.markets.feeds.base import MergedFeed
from apps.markets.feeds.seeding import seed_history
from apps.markets.feeds.synthetic import SyntheticFeed
from apps.markets.models import Candle, Instrument
from tests.feeds.captures import small_capture, write

NOW = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY_MINUTES = 1440


@pytest.fixture
def instruments(engine_gateway) -> list[Instrument]:
    for spec in STANDARD_MARKETS:
        list_instrument(actor=None, spec=spec)
    return sources.fed_instruments()


def closes(symbol: str) -> dict[datetime, int]:
    rows = Candle.objects.filter(instrument__symbol=symbol).values_list("at", "close_ticks")
    return dict(rows)


def test_every_market_gets_a_past_marked_synthetic_that_ends_where_the_feed_begins(instruments):
    written = seed_history(instruments=instruments, now=NOW, days=1, seed=1)

    assert written == 6 * DAY_MINUTES
    assert Candle.objects.filter(synthetic=True).count() == written
    btc = closes("BTC-USDT")
    last = NOW.replace(second=0) - MINUTE
    assert (min(btc), max(btc)) == (last - (DAY_MINUTES - 1) * MINUTE, last)
    assert btc[last] == 10_000_000
    assert closes("ETH-BTC")[last] == 3_500


def test_a_second_time_nothing_is_written(instruments):
    seed_history(instruments=instruments, now=NOW, days=1, seed=1)
    before = list(Candle.objects.order_by("instrument_id", "at").values_list())

    assert seed_history(instruments=instruments, now=NOW, days=1, seed=2) == 0

    assert list(Candle.objects.order_by("instrument_id", "at").values_list()) == before


def test_after_a_rest_each_market_goes_on_from_its_last_candle(instruments):
    seed_history(instruments=instruments, now=NOW, days=1, seed=1)
    last = NOW.replace(second=0) - MINUTE
    traded = {"close_ticks": 8_765_432, "low_ticks": 8_765_432, "synthetic": False}
    Candle.objects.filter(instrument_id=1, at=last).update(**traded)
    Candle.objects.filter(instrument_id=3, at__gt=last - 10 * MINUTE).delete()
    before = {tuple(row) for row in Candle.objects.values_list()}

    written = seed_history(instruments=instruments, now=NOW + 90 * MINUTE, days=1, seed=2)

    assert written == 6 * 90 + 10
    assert before <= {tuple(row) for row in Candle.objects.values_list()}
    assert Candle.objects.get(instrument_id=1, at=last + MINUTE).open_ticks == 8_765_432
    for instrument in instruments:
        rows = Candle.objects.filter(instrument=instrument).order_by("at")
        assert rows.count() == DAY_MINUTES + 90
        assert rows.last().at == last + 90 * MINUTE


def test_a_market_that_is_listed_later_gets_a_past_of_its_own(instruments):
    seed_history(instruments=instruments[:5], now=NOW, days=1, seed=1)

    written = seed_history(instruments=instruments, now=NOW, days=1, seed=1)

    assert written == DAY_MINUTES
    assert closes("ETH-BTC")[NOW.replace(second=0) - MINUTE] == 3_500


def test_with_a_replay_the_past_of_its_market_ends_at_its_first_price(instruments):
    seed_history(instruments=instruments, now=NOW, replay_ticks=6_183_763, days=1, seed=1)

    last = NOW.replace(second=0) - MINUTE
    assert closes("BTC-USDT")[last] == 6_183_763
    assert closes("ETH-USDT")[last] == 350_000
    assert closes("ETH-BTC")[last] == 5_659


def test_the_feed_goes_on_where_the_markets_closed(instruments):
    seed_history(instruments=instruments, now=NOW, days=1, seed=1)
    Candle.objects.filter(instrument_id=1).update(close_ticks=8_765_432, low_ticks=8_765_432)

    feed = sources.choose_feed(instruments, seed=1, replay=None)

    assert isinstance(feed, SyntheticFeed)
    btc = next(feed.steps()).markets[0]
    assert abs(btc.middle_ticks() - 8_765_432) < 20_000


def test_a_replay_takes_the_place_of_its_market_only(instruments, tmp_path):
    path = write(tmp_path / "a.raw.gz", small_capture())
    replay = sources.open_replay(instruments, [path])

    feed = sources.choose_feed(instruments, seed=1, replay=replay)

    assert isinstance(feed, MergedFeed)
    steps = feed.steps()
    assert [market.market_id for market in next(steps).markets] == [1]
    second = next(steps)
    assert [market.market_id for market in second.markets] == [1, 2, 3, 4, 5, 6]
    eth, eth_btc = second.markets[1].middle_ticks(), second.markets[5].middle_ticks()
    assert abs(eth_btc - eth * 1_000 // 100) <= eth_btc // 500
    assert sources.open_replay(instruments, []) is None


def test_the_command_writes_and_reports(instruments, capsys):
    call_command("seed_history", "--days", "1", "--seed", "4")

    assert "8640 synthetic candles written" in capsys.readouterr().out
    assert Candle.objects.count() == 6 * DAY_MINUTES


def test_the_command_refuses_a_capture_that_is_not_there(instruments, settings, tmp_path):
    settings.REPLAY = [tmp_path / "nothing.raw.gz"]

    with pytest.raises(CommandError, match="There is no capture file"):
        call_command("seed_history", "--days", "1")

    assert Candle.objects.count() == 0
