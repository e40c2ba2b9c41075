"""Random pairs, and purchases with what protects them."""

from __future__ import annotations

from msgspec.structs import replace

from apps.engine.messages import (
    BUY,
    GTC,
    GTD,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
    Place,
    PlacePair,
    Special,
    Terms,
)
from tests.simulation.flow_blocks import BlockFlow

SECOND = 1_000_000_000
ENDINGS = ("-stop", "-tp", "-sl")


class PairFlow(BlockFlow):
    mid: dict[int, int]
    trails: list[Special]
    lots: int
    spread: int
    cluster: int
    clients: int

    def begin_pairs(self) -> None:
        self.links = self.random.choice((0.0, 0.1, 0.3, 0.5))

    def _stop(self, market_id: int, side: int, kind: int = STOP) -> int:
        raise NotImplementedError

    def _clustered(self, price: int) -> int:
        raise NotImplementedError

    def _terms(self) -> Terms:
        raise NotImplementedError

    def linked_place(self, account_id: int) -> Place:
        draw = self.random
        if draw.random() < 0.5:
            limit, stop = self._pair_terms()
            return PlacePair(*self._head(), account_id, self._linked_id(), limit, stop)
        return Place(*self._head(), account_id, self._linked_id(), self._bracket_terms())

    def _linked_id(self) -> str:
        """Now and then one that leaves just enough for its ending, or too little."""
        client_order_id = f"c{self.clients}"
        chance = self.random.random()
        return (
            client_order_id.rjust(58 + (chance < 0.02), "l") if chance < 0.05 else client_order_id
        )

    def _away(self, price: int, sign: int) -> int:
        return self._clustered(price + sign * (1 + self.random.randrange(1 + self.spread)))

    def _pair_terms(self) -> tuple[Terms, Terms]:
        draw = self.random
        market_id, side = draw.choice(self.markets), draw.choice((BUY, SELL))
        kind = draw.choice((STOP, STOP, STOP_LIMIT, TRAILING_STOP))
        force = draw.choice((GTC, GTC, GTC, GTD))
        expires = self.now_ns + draw.randint(1, 40 * SECOND) if force == GTD else 0
        sign = -1 if side == BUY else 1
        shared = Terms(
            market_id, side, LIMIT, force, draw.randint(1, self.lots), expires_at_ns=expires,
            self_trade=draw.choice((1, 1, 2, 3, 4)),
        )  # fmt: skip
        limit = replace(shared, price_ticks=self._away(self.mid[market_id], sign), post_only=True)
        stop = replace(shared, order_type=kind, stop_ticks=self._stop(market_id, side, kind))
        if kind == STOP_LIMIT:
            stop = replace(stop, price_ticks=max(1, self._away(stop.stop_ticks, -sign)))
        if kind == TRAILING_STOP:
            stop = replace(stop, special=draw.choice(self.trails))
        if draw.random() < 0.05:
            limit = replace(limit, post_only=draw.random() < 0.5, special=Special(display_lots=1))
        if draw.random() < 0.05:
            # What both have in common differs.
            name = draw.choice(("market_id", "side", "quantity_lots", "self_trade"))
            stop = replace(stop, **{name: draw.choice((1, 2, 3))})
        return limit, stop

    def _bracket_terms(self) -> Terms:
        draw = self.random
        terms = self._terms()
        for _ in range(20):
            known = terms.order_type in (LIMIT, MARKET, STOP, STOP_LIMIT) and terms.quantity_lots
            if known and (terms.side == BUY or draw.random() < 0.02):
                break
            terms = self._terms()
        paid = terms.price_ticks or terms.stop_ticks or self.mid[terms.market_id]
        sign = -1 if draw.random() < 0.04 else 1
        take, stop = self._away(paid, sign), self._away(paid, -sign)
        if stop >= paid and draw.random() < 0.9:
            stop = max(1, paid - 1)
        kind = draw.choice(("both", "both", "both", "take", "stop", "limit", "limit"))
        limit = max(1, self._away(stop, -1)) if kind == "limit" else 0
        special = Special(
            take_profit_ticks=0 if kind == "stop" else take,
            stop_loss_ticks=0 if kind == "take" else stop,
            stop_loss_limit_ticks=limit,
        )
        return replace(terms, special=special)
