"""Writes small captures in the format of the real ones, line by line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from apps.markets.feeds.base import MarketScale

BTC: Final = MarketScale(1, "BTC-USDT", 1_000_000, 1_000)
BEGIN_NS: Final = 1_723_161_254_000_000_000
MS: Final = 1_000_000

Pairs = Iterable[tuple[str, str]]


def diff(at_ms: int, first: int, last: int, bids: Pairs = (), asks: Pairs = ()) -> bytes:
    data = {
        "e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last,
        "b": [list(pair) for pair in bids], "a": [list(pair) for pair in asks],
    }  # fmt: skip
    return _line(at_ms, {"stream": "btcusdt@depth@100ms", "data": data})


def top(at_ms: int, update: int, bid: tuple[str, str], ask: tuple[str, str]) -> bytes:
    data = {"u": update, "s": "BTCUSDT", "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
    return _line(at_ms, {"stream": "btcusdt@bookTicker", "data": data})


def trade(at_ms: int, number: int, price: str, quantity: str, selling: bool = False) -> bytes:
    data = {
        "e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": price, "q": quantity, "T": 1,
        "m": selling, "M": True,
    }  # fmt: skip
    return _line(at_ms, {"stream": "btcusdt@trade", "data": data})


def snapshot(at_ms: int, update: int, bids: Pairs, asks: Pairs) -> bytes:
    return _line(
        at_ms,
        {
            "lastUpdateId": update,
            "bids": [list(pair) for pair in bids],
            "asks": [list(pair) for pair in asks],
        },
    )


def write(path: Path, lines: Iterable[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def small_capture() -> list[bytes]:
    """Half a second of a market: an anchor, three diffs, best prices and four trades."""
    return [
        diff(0, 90, 95, bids=[("99.90", "1.00000000")]),
        top(10, 97, ("100.00", "2.00000000"), ("100.02", "1.00000000")),
        diff(20, 96, 101, bids=[("100.00", "2.00000000")], asks=[("100.05", "4.00000000")]),
        snapshot(
            30,
            98,
            bids=[("100.00", "2.00000000"), ("99.95", "3.00000000"), ("99.90", "1.00000000")],
            asks=[("100.02", "1.00000000"), ("100.03", "2.50000000")],
        ),
        trade(110, 1, "100.02", "0.40000000"),
        top(111, 103, ("100.00", "2.00000000"), ("100.02", "0.60000000")),
        diff(120, 102, 104, asks=[("100.02", "0.60000000")], bids=[("99.95", "0.00000000")]),
        trade(210, 2, "100.02", "0.60000000"),
        trade(211, 3, "100.03", "0.10000000"),
        top(212, 106, ("100.02", "0.50000000"), ("100.03", "2.40000000")),
        trade(310, 4, "100.02", "0.00001000", selling=True),
        diff(
            320, 105, 108,
            bids=[("100.02", "0.49999000")],
            asks=[("100.02", "0.00000000"), ("100.03", "2.40000000")],
        ),
    ]  # fmt: skip


def _line(at_ms: int, message: object) -> bytes:
    stamp = BEGIN_NS + at_ms * MS
    return f"{stamp} {json.dumps(message, separators=(',', ':'))}\n".encode()
