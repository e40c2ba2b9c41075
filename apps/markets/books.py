"""Order books as their publisher stored them last: what API and pages show before the socket."""

from __future__ import annotations

from typing import Any

import orjson

from apps.core.realtime.connections import client, key
from apps.core.realtime.publish import SOURCE_PREFIX, snapshot_key
from apps.markets.realtime import SOURCE


def stored_books(symbols: list[str]) -> dict[str, dict[str, Any] | None]:
    """Return the book that was published last for each market.

    None where there is none, and for all of them where their publisher gives no sign of life: an
    old book is worse than none.
    """
    names = [snapshot_key(f"market.{symbol}.book") for symbol in symbols]
    alive, *texts = client().mget([key(SOURCE_PREFIX + SOURCE), *names])
    return {
        symbol: None if alive is None or text is None else orjson.loads(text)
        for symbol, text in zip(symbols, texts, strict=True)
    }
