"""Somebody who has something to lose, and a price that the test decides."""

from __future__ import annotations

from typing import Any

import pytest

from apps.trades.risk import marks
from tests.factories import Trader, house, listed, trader


@pytest.fixture
def ada() -> Trader:
    """Ada has bought 0.1 BTC at 50,000; she has 10,000 USDT's worth in all, less the fee."""
    house()
    listed()
    ada, bob = trader(USDT="10000"), trader(USDT="100000", BTC="1")
    bob.sell("0.1", "50000")
    ada.buy("0.1", "50000")
    return ada


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a book, or none, with this one price."""

    def have(price: str | None) -> None:
        levels = [] if price is None else [[price, "1"]]
        book = {"data": {"bids": levels, "asks": levels}}
        monkeypatch.setattr(
            marks, "stored_books",
            lambda symbols: {each: book if price else None for each in symbols},
        )  # fmt: skip

    have("50000")
    return have
