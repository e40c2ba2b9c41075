"""A market that nobody recorded: six instruments that move together, from one seed.

The same seed and start give the same steps on every machine. It may be steered: an asset then
takes its price from another feed and the rest follow it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from apps.markets.feeds.base import GRID_NS, MarketScale, Step
from apps.markets.feeds.prices import FINE, Chance, PriceProcess
from apps.markets.feeds.synthetic_book import SyntheticBook
from apps.markets.feeds.world import ASSETS, MARKETS, QUOTE

STEP_NS: Final = 2 * GRID_NS


def start_prices(last_minor: Mapping[str, int]) -> dict[str, int]:
    """Return fine prices to start from: the last known ones (minor units of USDT), or usual ones.

    ``last_minor`` is by symbol; only the markets against USDT say what an asset is worth.
    """
    return {
        code: (last_minor.get(f"{code}-{QUOTE}") or asset.start_minor) * FINE
        for code, asset in ASSETS.items()
    }


class SyntheticFeed:
    """Steps without end, one each 200 ms of feed time in which something happened."""

    def __init__(
        self,
        scales: Sequence[MarketScale],
        *,
        seed: int,
        start_fine: Mapping[str, int],
        steered: tuple[str, Callable[[], int]] | None = None,
    ) -> None:
        self._chance = Chance(seed)
        self._process = PriceProcess(self._chance, start_fine, STEP_NS)
        self._books = [
            SyntheticBook(MARKETS[scale.symbol], scale, self._chance, STEP_NS)
            for scale in scales
            if scale.symbol in MARKETS
        ]
        self._steered = steered
        self._counters: Counter[str] = Counter()

    @property
    def counters(self) -> Mapping[str, int]:
        return self._counters

    def steps(self) -> Iterator[Step]:
        at_ns = 0
        # Without a market there is never anything to yield.
        while self._books:
            at_ns += STEP_NS
            self._advance()
            fine, heat = self._process.fine, self._process.heat_milli
            stepped = (book.step(fine, heat) for book in self._books)
            markets = tuple(market for market in stepped if market is not None)
            self._counters["synthetic_steps"] += 1
            self._counters["synthetic_trades"] += sum(len(market.trades) for market in markets)
            if markets:
                yield Step(at_ns, markets)

    def _advance(self) -> None:
        if self._steered is not None:
            code, price_minor_now = self._steered
            if price_minor := price_minor_now():
                self._process.steer(code, price_minor * FINE)
                return
        self._process.advance()
