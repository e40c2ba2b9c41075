"""The visible book of one synthetic market: levels that stay until the price has reason to move.

A book that is redrawn at each step costs an exchange a rewrite at each step. This one changes
where something happens: a trade takes from the best level, a size flickers, and when the hidden
price has left the spread far enough, the levels in between are swept and new ones follow.
"""

from __future__ import annotations

from typing import Final

from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import DEPTH, FeedTrade, MarketScale, MarketStep
from apps.markets.feeds.prices import FINE, MILLI, Chance
from apps.markets.feeds.world import MINOR, WorldMarket

_MINUTE_NS: Final = 60 * 10**9
_SWEEP_MAX: Final = 2 * DEPTH


class SyntheticBook:
    """Bids and asks as [price, lots], best first, and how they change step by step."""

    def __init__(
        self, market: WorldMarket, scale: MarketScale, chance: Chance, step_ns: int
    ) -> None:
        self._market = market
        self._scale = scale
        self._chance = chance
        self._steps_per_minute = _MINUTE_NS // step_ns
        self._bids: list[list[int]] = []
        self._asks: list[list[int]] = []
        self._base_fine = 0

    def step(self, fine: dict[str, int], heat_milli: int) -> MarketStep | None:
        """Return the market after one step of time, or nothing where nothing has happened."""
        self._base_fine = fine[self._market.base]
        price_ticks = self.price_ticks(fine)
        if not self._bids:
            self._lay_out(price_ticks)
            return self._market_step((), restarted=True)
        trades: list[FeedTrade] = []
        patience = max(self._market.patience_ticks * heat_milli // MILLI, 1)
        moved = self._follow(price_ticks, patience, trades)
        if not moved:
            moved = self._trade(price_ticks, heat_milli, trades) or self._flicker()
        return self._market_step(tuple(trades)) if moved else None

    def price_ticks(self, fine: dict[str, int]) -> int:
        """Return the hidden price in ticks."""
        market, tick = self._market, self._scale.tick_minor
        if market.quote in fine:
            minor = fine[market.base] * MINOR // fine[market.quote]
        else:
            minor = fine[market.base] // FINE
        return max(minor // tick, DEPTH * market.gap_ticks * 2)

    def _market_step(self, trades: tuple[FeedTrade, ...], restarted: bool = False) -> MarketStep:
        return MarketStep(
            self._scale.market_id,
            tuple((price, lots) for price, lots in self._bids[:DEPTH]),
            tuple((price, lots) for price, lots in self._asks[:DEPTH]),
            trades,
            restarted,
        )

    def _lay_out(self, price_ticks: int) -> None:
        self._bids = [[price_ticks, self._level_lots()]]
        self._asks = [[price_ticks + self._market.spread_ticks, self._level_lots()]]
        self._extend(self._bids, -1)
        self._extend(self._asks, 1)

    def _follow(self, price_ticks: int, patience: int, trades: list[FeedTrade]) -> bool:
        """Move the book to the hidden price once that is too far away from it."""
        if price_ticks > self._asks[0][0] + patience:
            self._sweep(self._asks, self._bids, price_ticks, 1, trades)
        elif price_ticks < self._bids[0][0] - patience:
            self._sweep(self._bids, self._asks, price_ticks, -1, trades)
        else:
            return False
        return True

    def _sweep(
        self,
        taken: list[list[int]],
        following: list[list[int]],
        price_ticks: int,
        up: int,
        trades: list[FeedTrade],
    ) -> None:
        """Take out what stands before the new price; the other side moves up behind it."""
        chance, side = self._chance, BUY if up == 1 else SELL
        while taken and (price_ticks - taken[0][0]) * up > 0:
            price, lots = taken.pop(0)
            if chance.below(2):
                # Some levels are bought out, from others the makers withdraw in time.
                quantity = lots if not chance.below(4) else min(lots, self._trade_lots())
                trades.append(FeedTrade(price, quantity, side))
        if not taken:
            taken.append([price_ticks + self._gap() * up, self._level_lots()])
        self._extend(taken, up)
        near = taken[0][0] - self._market.spread_ticks * up
        behind: list[list[int]] = []
        while (near - following[0][0]) * up > 0 and len(behind) < _SWEEP_MAX:
            behind.append([near, self._level_lots()])
            near -= self._gap() * up
        following[:0] = behind
        self._extend(following, -up)

    def _trade(self, price_ticks: int, heat_milli: int, trades: list[FeedTrade]) -> bool:
        """Let somebody trade at the best price, rather on the side the price is going to."""
        chance, market = self._chance, self._market
        odds = self._steps_per_minute * MILLI * MILLI // (market.trades_per_minute * heat_milli)
        if chance.below(max(odds, MILLI)) >= MILLI:
            return False
        rising = price_ticks > self._bids[0][0]
        buying = rising if chance.below(5) < 3 else not rising
        levels = self._asks if buying else self._bids
        price, lots = levels[0]
        quantity = min(self._trade_lots(), lots)
        trades.append(FeedTrade(price, quantity, BUY if buying else SELL))
        if quantity < lots:
            levels[0][1] = lots - quantity
        else:
            # The best level comes back at once: somebody always quotes the touch.
            levels[0][1] = self._level_lots()
        return True

    def _flicker(self) -> bool:
        """Change one size, nearer to the best price more often."""
        chance = self._chance
        if chance.below(self._steps_per_minute) >= self._market.flickers_per_minute:
            return False
        levels = self._bids if chance.below(2) else self._asks
        index = chance.below(1 + chance.below(DEPTH))
        levels[index][1] = self._level_lots()
        return True

    def _extend(self, levels: list[list[int]], away: int) -> None:
        while len(levels) < DEPTH:
            levels.append([levels[-1][0] + self._gap() * away, self._level_lots()])
        del levels[DEPTH:]

    def _gap(self) -> int:
        gap = self._market.gap_ticks
        return 1 + self._chance.below(2 * gap) if gap > 1 else 1

    def _level_lots(self) -> int:
        return self._chance.spread(self._lots_of(self._market.level_value_minor))

    def _trade_lots(self) -> int:
        return self._chance.spread(self._lots_of(self._market.trade_value_minor))

    def _lots_of(self, value_minor: int) -> int:
        """Return how many lots are worth this much USDT now, at least one."""
        base_minor = value_minor * MINOR * FINE // self._base_fine
        return max(base_minor // self._scale.lot_minor, 1)
