"""Flows in which what is rare elsewhere happens all the time: blocks, auctions of blocks, pairs."""

from __future__ import annotations

from msgspec.structs import replace

from apps.engine.messages import Amend, AnyCommand, Instrument, Limits, Tick
from tests.simulation.flow import SECOND, Flow


class CrowdedFlow(Flow):
    """A world in which blocks fill, are disturbed while they are allotted, and meet each other."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        draw = self.random
        self.accounts = list(range(1000, 1000 + draw.choice((6, 12, 30))))
        self.markets = [1]
        self.groups = draw.choice((5, 1_000, 1_000))
        self.hurry_ns = draw.choice((1_000_000, SECOND // 30))
        self.hostile = 0.0
        self.wealth = 100_000
        self.stops = 0.05
        self.blockiness = 0.45
        self.block_legs = draw.choice((4, 10, 25))

    def _instrument(self, market_id: int) -> Instrument:
        found = replace(
            super()._instrument(market_id), max_quantity_lots=0, max_position_lots=0, band_bps=1_000
        )
        self.instruments[market_id] = found
        return found

    def _limits(self) -> Limits:
        return Limits(0, 0, 0, False)

    def _staff(self) -> AnyCommand:
        return Tick(*self._head())


class LinkedFlow(Flow):
    """Half of all orders are pairs, or purchases with exits."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.links = 0.5
        self.blockiness = 0.0

    def _next(self) -> AnyCommand:
        if self.live and self.random.random() < 0.15:
            # Of an order that is linked only the prices can change.
            order_id = self.random.choice(list(self.live)[-30:])
            account_id, _, market_id = self.live[order_id]
            side = self.sides[order_id]
            prices = (0, self._stop(market_id, side)), (self._price(market_id, side), 0)
            return Amend(*self._head(), account_id, order_id, "", 0, *self.random.choice(prices))
        return super()._next()


class CallingFlow(CrowdedFlow):
    """A market that calls one auction after the other, of blocks, icebergs and few groups."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        draw = self.random
        self.groups = draw.choice((4, 10, 1_000))
        self.icebergs = draw.choice((0.0, 0.3, 0.6))
        self.blockiness = draw.choice((0.2, 0.45))
        self.lots = draw.choice((20, 500))
        # Slices that are long at work are left by legs in an auction.
        self.allotting = draw.choice((0.02, 0.3))

    def _instrument(self, market_id: int) -> Instrument:
        found = replace(super()._instrument(market_id), band_bps=self.random.choice((300, 10_000)))
        self.instruments[market_id] = found
        return found

    def _next(self) -> AnyCommand:
        if self.random.random() < 0.05:
            return self._auction(1)
        return super()._next()
