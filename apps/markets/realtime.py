"""The topics of the markets: open to everybody, with the snapshots that the publisher stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apps.core.errors import NotFound
from apps.core.realtime import topics
from apps.markets.queries import instrument_by_symbol

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

SOURCE: Final = "markets"
PATTERNS: Final = (
    "market.{symbol}.book",
    "market.{symbol}.trades",
    "market.{symbol}.ticker",
    "market.{symbol}.candles.1m",
)


def register() -> None:
    for pattern in PATTERNS:
        topics.register(topics.TopicKind(pattern, _is_listed, public=True, source=SOURCE))
    topics.register(topics.TopicKind("tickers", topics.anyone, public=True, source=SOURCE))


def _is_listed(user: AbstractBaseUser | None, match: topics.Match) -> bool:
    # Topics know one way to write a symbol; following another would wait for ever.
    if instrument_by_symbol(match["symbol"]).symbol != match["symbol"]:
        raise NotFound("unknown_market", "There is no such market here.")
    return True
