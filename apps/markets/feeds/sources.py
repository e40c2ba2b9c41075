"""Which feed drives the markets: the synthetic world, with a recording in one market's place.

Reads what markets there are and where they closed last. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from apps.markets.feeds.base import Feed, MarketScale, MergedFeed
from apps.markets.feeds.prices import FINE
from apps.markets.feeds.recorded import RecordedFeed
from apps.markets.feeds.synthetic import SyntheticFeed, start_prices
from apps.markets.feeds.world import MARKETS
from apps.markets.models import Candle, Instrument

# The market that a capture drives, and the asset that the rest of the world follows then.
REPLAY_SYMBOL: Final = "BTC-USDT"
REPLAY_ASSET: Final = "BTC"


def scale_of(instrument: Instrument) -> MarketScale:
    """Return how the market counts."""
    return MarketScale(
        instrument.id,
        instrument.symbol,
        instrument.tick_size_minor,
        instrument.lot_minor,
        instrument.quote.scale,
        instrument.base.scale,
    )


def fed_instruments() -> list[Instrument]:
    """Return the listed markets that the synthetic world knows."""
    return list(
        Instrument.objects.select_related("base", "quote").filter(symbol__in=MARKETS).order_by("id")
    )


def last_prices_minor(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Return where each market closed last, in quote minor units per whole base unit."""
    prices: dict[str, int] = {}
    for instrument in instruments:
        candle = Candle.objects.filter(instrument=instrument).order_by("-at").first()
        if candle is not None:
            prices[instrument.symbol] = candle.close_ticks * instrument.tick_size_minor
    return prices


def open_replay(
    instruments: Sequence[Instrument], paths: Sequence[Path], speed_milli: int = 1000
) -> RecordedFeed | None:
    """Return the recording of the replayed market, if there is one to replay."""
    if not paths:
        return None
    for instrument in instruments:
        if instrument.symbol == REPLAY_SYMBOL:
            scale = scale_of(instrument)
            return RecordedFeed(paths, scale, speed_milli=speed_milli, loop=True)
    return None


def choose_feed(
    instruments: Sequence[Instrument], *, seed: int, replay: RecordedFeed | None
) -> Feed:
    """Return the feed of all these markets, going on from where they closed last."""
    start_fine = start_prices(last_prices_minor(instruments))
    scales = [scale_of(instrument) for instrument in instruments]
    if replay is None:
        return SyntheticFeed(scales, seed=seed, start_fine=start_fine)
    others = [scale for scale in scales if scale.symbol != REPLAY_SYMBOL]
    tick_minor = next(scale.tick_minor for scale in scales if scale.symbol == REPLAY_SYMBOL)
    # The rest of the world begins where the recording does: no market leaps to follow it.
    start_fine[REPLAY_ASSET] = replay.first_middle_ticks() * tick_minor * FINE
    synthetic = SyntheticFeed(
        others,
        seed=seed,
        start_fine=start_fine,
        steered=(REPLAY_ASSET, lambda: replay.middle_ticks * tick_minor),
    )
    return MergedFeed((replay, synthetic))
