"""Sources of market data behind one interface (``base``): recorded captures and a synthetic market.

Nothing here knows orders or accounts; what becomes of a feed is decided in ``trades.liquidity``.
"""
