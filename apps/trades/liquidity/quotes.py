"""The house's own quotes as the engine has them, folded from what the engine says about them.

Events come twice and from two sides (replies and committed batches), in any order between the
two. What remains of an order only falls and an ended order never comes back, so each event may be
applied again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from apps.engine.messages import BUY, SELL, Accepted, AnyEvent, Closed, Trade
from apps.trades.liquidity.rules import Sides
from apps.wallets.actions import MAKER_ACCOUNT_ID

SIDES: Final = (BUY, SELL)


@dataclass(slots=True)
class OwnQuote:
    """One order of the market maker; ``order_id`` is zero until the engine has accepted it."""

    market_id: int
    side: int
    price_ticks: int
    client_order_id: str
    remaining_lots: int
    order_id: int = 0


class OwnQuotes:
    """All quotes of all markets, by where they stand and by their ids."""

    def __init__(self) -> None:
        self._standing: dict[tuple[int, int], dict[int, OwnQuote]] = {}
        self._by_client_id: dict[str, OwnQuote] = {}
        self._by_order_id: dict[int, OwnQuote] = {}

    def __iter__(self) -> Iterator[OwnQuote]:
        return iter(self._by_client_id.values())

    def __len__(self) -> int:
        return len(self._by_client_id)

    def clear(self) -> None:
        self._standing.clear()
        self._by_client_id.clear()
        self._by_order_id.clear()

    def sides(self, market_id: int) -> Sides:
        """Return lots by price of both sides of a market."""
        return {
            side: {
                price: quote.remaining_lots
                for price, quote in self._standing.get((market_id, side), {}).items()
            }
            for side in SIDES
        }

    def sent(self, quote: OwnQuote) -> None:
        """Note a quote that the engine has answered for; its events follow."""
        self._standing.setdefault((quote.market_id, quote.side), {})[quote.price_ticks] = quote
        self._by_client_id[quote.client_order_id] = quote

    def at(self, market_id: int, side: int, price_ticks: int) -> OwnQuote:
        """Return the quote that stands there."""
        return self._standing[market_id, side][price_ticks]

    def gone(self, quote: OwnQuote) -> None:
        """Forget a quote that has ended."""
        self._by_client_id.pop(quote.client_order_id, None)
        self._by_order_id.pop(quote.order_id, None)
        standing = self._standing.get((quote.market_id, quote.side), {})
        if standing.get(quote.price_ticks) is quote:
            del standing[quote.price_ticks]

    def apply(self, event: AnyEvent) -> OwnQuote | None:
        """Fold one event; returns the quote that it changed, if it changed one."""
        match event:
            case Accepted():
                # Anybody may choose the same client order id; only the maker's own counts.
                own = event.account_id == MAKER_ACCOUNT_ID
                quote = self._by_client_id.get(event.client_order_id) if own else None
                if quote is not None and not quote.order_id:
                    quote.order_id = event.order_id
                    self._by_order_id[event.order_id] = quote
                return None
            case Trade():
                maker = self._filled(event.maker_order_id, event.maker_remaining_lots)
                taker = self._filled(event.taker_order_id, event.taker_remaining_lots)
                return maker or taker
            case Closed():
                quote = self._by_order_id.get(event.order_id)
                if quote is not None:
                    self.gone(quote)
                return quote
            case _:
                return None

    def _filled(self, order_id: int, remaining_lots: int) -> OwnQuote | None:
        quote = self._by_order_id.get(order_id)
        if quote is None or remaining_lots >= quote.remaining_lots:
            return None
        quote.remaining_lots = remaining_lots
        if not remaining_lots:
            self.gone(quote)
        return quote
