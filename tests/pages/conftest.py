"""A small world for pages: two markets with trades, and a trader who has taken part."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import Trader, house, listed, trader


@pytest.fixture
def world(engine_gateway: object) -> Trader:
    """BTC-USDT last traded at 60,000, ETH-BTC at 0.05; the trader has bought 0.5 BTC."""
    listed("BTC-USDT")
    listed("ETH-BTC")
    house()
    seller = trader(USDT="1000", BTC="5", ETH="100")
    buyer = trader("ada@example.com", USDT="100000", BTC="1")
    seller.sell("0.50000", "60000.00")
    buyer.buy("0.50000", "60000.00")
    seller.sell("2.000", "0.05000", market="ETH-BTC")
    buyer.buy("2.000", "0.05000", market="ETH-BTC")
    return buyer


@pytest.fixture
def signed_in(world: Trader, client: Client) -> Client:
    client.force_login(world.user)
    return client
