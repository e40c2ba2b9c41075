"""Public market data: instruments, book, tape, candles and tickers."""

from __future__ import annotations

from typing import Final

import redis.exceptions
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.endpoint import PageQuery, PublicEndpoint, open_cursor, page_body, seal_cursor
from apps.core.errors import Unavailable
from apps.core.fields import QueryInteger, QuerySerializer, StrictChoice, StrictTime
from apps.core.openapi import IF_NONE_MATCH, documented
from apps.markets import queries
from apps.markets.books import stored_books
from apps.markets.presentation import (
    PHASE_NAMES,
    candle_json,
    instrument_json,
    ticker_json,
    trade_json,
)
from apps.matching.api import SeqQuery, await_seq

DEPTH_MAX: Final = 200
CANDLES_LIMIT_MAX: Final = 1000

_INSTRUMENT: Final = {
    "symbol": "BTC-USDT", "base": "BTC", "quote": "USDT", "state": "open", "tick_size": "0.01",
    "lot_size": "0.00001", "min_quantity": "0.00001", "max_quantity": "1000.00000",
    "min_notional": "5.00", "max_notional": "10000000.00", "maker_fee": "0.0008",
    "taker_fee": "0.0010", "price_band": "0.10",
    "phase": "trading", "phase_until": None, "auction": None, "last_auction": None,
}  # fmt: skip
_TRADE: Final = {
    "id": "90211", "price": "60000.00", "quantity": "0.01000", "side": "buy",
    "at": "2026-11-21T12:00:00.5Z", "seq": 1042,
}  # fmt: skip
_TICKER: Final = {
    "market": "BTC-USDT", "last": "60000.00", "open": "59000.00", "high": "60500.00",
    "low": "58800.00", "change": "1.69", "volume": "812.40110", "quote_volume": "48510022.11",
    "bid": "59999.90", "ask": "60000.10", "at": "2026-11-21T12:00:00.5Z", "phase": "auction",
    "phase_until": "2026-11-21T12:05:00Z",
    "auction": {
        "price": "60000.00", "quantity": "1.20000", "imbalance": "0.30000",
        "imbalance_side": "buy",
    },
    "last_auction": None,
}  # fmt: skip
_CANDLE: Final = {
    "at": "2026-11-21T12:00:00Z", "open": "59990.00", "high": "60010.00", "low": "59980.00",
    "close": "60000.00", "volume": "3.20150", "quote_volume": "192090.10",
}  # fmt: skip


class BookQuery(QuerySerializer):
    depth = QueryInteger(
        low=1, cap=DEPTH_MAX, code="invalid_depth", default=50, help_text="Levels per side."
    )


class TradesQuery(PageQuery, SeqQuery):
    """The tape, page by page."""


class CandlesQuery(SeqQuery):
    interval = StrictChoice(queries.INTERVALS, default="1m")
    start = StrictTime(required=False, help_text="Candles that begin at or after this moment.")
    end = StrictTime(required=False, help_text="Candles that begin before this moment.")
    limit = QueryInteger(low=1, cap=CANDLES_LIMIT_MAX, code="invalid_limit", default=500)


class AuctionOutput(serializers.Serializer[dict[str, object]]):
    price = serializers.CharField(
        allow_null=True, help_text="What the auction would trade at now; null: nothing crosses."
    )
    quantity = serializers.CharField(help_text="How much would trade.")
    imbalance = serializers.CharField(help_text="How much would be left over at the price.")
    imbalance_side = serializers.CharField(
        allow_null=True, help_text="Who is left over, `buy` or `sell`; null: nobody."
    )


class LastAuctionOutput(serializers.Serializer[dict[str, object]]):
    price = serializers.CharField()
    quantity = serializers.CharField()
    at = serializers.DateTimeField()


class InstrumentOutput(serializers.Serializer[dict[str, object]]):
    symbol = serializers.CharField()
    base = serializers.CharField()
    quote = serializers.CharField()
    state = serializers.ChoiceField(["open", "cancel_only", "halted"])
    tick_size = serializers.CharField(help_text="Prices are whole multiples of this.")
    lot_size = serializers.CharField(help_text="Quantities are whole multiples of this.")
    min_quantity = serializers.CharField()
    max_quantity = serializers.CharField()
    min_notional = serializers.CharField(help_text="Least price x quantity of an order.")
    max_notional = serializers.CharField()
    maker_fee = serializers.CharField(help_text="Part of the notional: 0.0008 is 0.08 %.")
    taker_fee = serializers.CharField()
    price_band = serializers.CharField(help_text="How far a trade may be from the reference.")
    phase = serializers.ChoiceField(
        list(PHASE_NAMES.values()),
        help_text="Of an open market: trading, at its band, or collecting orders for an auction.",
    )
    phase_until = serializers.DateTimeField(
        allow_null=True, help_text="When the phase ends by itself."
    )
    auction = AuctionOutput(
        allow_null=True, help_text="What the auction to come would trade, while it collects orders."
    )
    last_auction = LastAuctionOutput(allow_null=True, help_text="What the last one has traded.")


class MarketsOutput(serializers.Serializer[dict[str, object]]):
    items = InstrumentOutput(many=True)
    next = serializers.CharField(allow_null=True)


class BookOutput(serializers.Serializer[dict[str, object]]):
    market = serializers.CharField()
    seq = serializers.IntegerField(help_text="State of the book after this command.")
    bids = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2),
        help_text="[price, quantity], best first.",
    )
    asks = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    )


class TradeOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    price = serializers.CharField()
    quantity = serializers.CharField()
    side = serializers.ChoiceField(["buy", "sell"], help_text="Of the taker.")
    at = serializers.DateTimeField()
    seq = serializers.IntegerField()


class TradesOutput(serializers.Serializer[dict[str, object]]):
    items = TradeOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class CandleOutput(serializers.Serializer[dict[str, object]]):
    at = serializers.DateTimeField(help_text="When it begins.")
    open = serializers.CharField()
    high = serializers.CharField()
    low = serializers.CharField()
    close = serializers.CharField()
    volume = serializers.CharField(help_text="In the base asset.")
    quote_volume = serializers.CharField()


class CandlesOutput(serializers.Serializer[dict[str, object]]):
    market = serializers.CharField()
    interval = serializers.CharField()
    items = CandleOutput(many=True)


class TickerOutput(serializers.Serializer[dict[str, object]]):
    market = serializers.CharField()
    last = serializers.CharField(allow_null=True)
    open = serializers.CharField(allow_null=True)
    high = serializers.CharField(allow_null=True)
    low = serializers.CharField(allow_null=True)
    change = serializers.CharField(help_text="Percent over 24 hours.")
    volume = serializers.CharField()
    quote_volume = serializers.CharField()
    bid = serializers.CharField(allow_null=True)
    ask = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    phase = serializers.ChoiceField(list(PHASE_NAMES.values()))
    phase_until = serializers.DateTimeField(allow_null=True)
    auction = AuctionOutput(allow_null=True)
    last_auction = LastAuctionOutput(allow_null=True)


class TickersOutput(serializers.Serializer[dict[str, object]]):
    items = TickerOutput(many=True)
    next = serializers.CharField(allow_null=True)


class MarketsView(PublicEndpoint):
    @documented(
        summary="All markets and their rules", tag="markets", answer=MarketsOutput,
        example={"items": [_INSTRUMENT], "next": None}, parameters=[IF_NONE_MATCH],
        query=QuerySerializer, refusals={400: "unknown_parameter"}, public=True,
        operation_id="markets",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        self.read_query(QuerySerializer)
        instruments = queries.visible_instruments()
        return Response(page_body([instrument_json(row) for row in instruments], None))


class MarketView(PublicEndpoint):
    @documented(
        summary="One market and its rules", tag="markets", answer=InstrumentOutput,
        example=_INSTRUMENT, parameters=[IF_NONE_MATCH], query=QuerySerializer,
        refusals={400: "unknown_parameter", 404: "unknown_market"}, public=True,
        operation_id="market",
    )  # fmt: skip
    def get(self, request: Request, symbol: str) -> Response:
        self.read_query(QuerySerializer)
        return Response(instrument_json(queries.instrument_by_symbol(symbol)))


class BookView(PublicEndpoint):
    @documented(
        summary="The order book, best prices first", tag="markets", query=BookQuery,
        answer=BookOutput,
        example={
            "market": "BTC-USDT", "seq": 1042,
            "bids": [["59999.90", "0.50000"]], "asks": [["60000.10", "0.25000"]],
        },
        parameters=[IF_NONE_MATCH],
        refusals={400: "invalid_depth", 404: "unknown_market", 503: "book_unavailable"},
        public=True, operation_id="book",
    )  # fmt: skip
    def get(self, request: Request, symbol: str) -> Response:
        depth = self.read_query(BookQuery)["depth"]
        instrument = queries.instrument_by_symbol(symbol)
        snapshot = stored_books([instrument.symbol])[instrument.symbol]
        if snapshot is None:
            raise Unavailable(
                "book_unavailable",
                "The order book is not there right now. Ask again in a moment.",
                retry_after_seconds=1,
            )
        data = snapshot["data"]
        return Response(
            {
                "market": instrument.symbol,
                "seq": snapshot["seq"],
                "bids": data["bids"][:depth],
                "asks": data["asks"][:depth],
            }
        )


class TradesView(PublicEndpoint):
    @documented(
        summary="Trades of a market, newest first", tag="markets", query=TradesQuery,
        answer=TradesOutput, example={"items": [_TRADE], "next": "90211.VKPyQ8dX"},
        parameters=[IF_NONE_MATCH],
        refusals={400: "invalid_cursor", 404: "unknown_market", 503: "not_yet_projected"},
        public=True, operation_id="trades",
    )  # fmt: skip
    def get(self, request: Request, symbol: str) -> Response:
        query = self.read_query(TradesQuery)
        instrument = queries.instrument_by_symbol(symbol)
        await_seq(query)
        scope, limit = f"trades {instrument.id}", query["limit"]
        before = open_cursor(query.get("cursor"), scope)
        rows = queries.recent_trades(instrument=instrument, limit=limit + 1, before_id=before)
        more = len(rows) > limit
        rows = rows[:limit]
        cursor = seal_cursor(str(rows[-1].id), scope) if more else None
        return Response(page_body([trade_json(row, instrument) for row in rows], cursor))


class CandlesView(PublicEndpoint):
    @documented(
        summary="Candles of a market, oldest first", tag="markets", query=CandlesQuery,
        description="Minutes in which nothing traded have no candle. The newest `limit` are sent.",
        answer=CandlesOutput,
        example={"market": "BTC-USDT", "interval": "1m", "items": [_CANDLE]},
        parameters=[IF_NONE_MATCH],
        refusals={400: "invalid_choice", 404: "unknown_market", 503: "not_yet_projected"},
        public=True, operation_id="candles",
    )  # fmt: skip
    def get(self, request: Request, symbol: str) -> Response:
        query = self.read_query(CandlesQuery)
        instrument = queries.instrument_by_symbol(symbol)
        await_seq(query)
        rows = queries.candles(
            instrument=instrument,
            interval=query["interval"],
            start=query.get("start"),
            end=query.get("end"),
            limit=query["limit"],
        )
        return Response(
            {
                "market": instrument.symbol,
                "interval": query["interval"],
                "items": [candle_json(row, instrument) for row in rows],
            }
        )


class TickerView(PublicEndpoint):
    @documented(
        summary="The last 24 hours of a market", tag="markets", query=SeqQuery,
        answer=TickerOutput, example=_TICKER, parameters=[IF_NONE_MATCH],
        refusals={400: "unknown_parameter", 404: "unknown_market", 503: "not_yet_projected"},
        public=True, operation_id="ticker",
    )  # fmt: skip
    def get(self, request: Request, symbol: str) -> Response:
        query = self.read_query(SeqQuery)
        instrument = queries.instrument_by_symbol(symbol)
        await_seq(query)
        return Response(_with_quotes([ticker_json(queries.ticker(instrument=instrument))])[0])


class TickersView(PublicEndpoint):
    @documented(
        summary="The last 24 hours of every market", tag="markets", query=SeqQuery,
        answer=TickersOutput, example={"items": [_TICKER], "next": None},
        parameters=[IF_NONE_MATCH],
        refusals={400: "unknown_parameter", 503: "not_yet_projected"},
        public=True, operation_id="tickers",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        await_seq(self.read_query(SeqQuery))
        found = [ticker_json(ticker) for ticker in queries.tickers()]
        return Response(page_body([*_with_quotes(found)], None))


def _with_quotes(tickers: list[dict[str, object]]) -> list[dict[str, object]]:
    """Add the best prices of the published books; a ticker is worth having without them too."""
    try:
        books = stored_books([str(ticker["market"]) for ticker in tickers]) if tickers else {}
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        return tickers
    for ticker in tickers:
        book = books[str(ticker["market"])]
        if book is not None:
            for name, side in (("bid", "bids"), ("ask", "asks")):
                levels = book["data"][side]
                ticker[name] = levels[0][0] if levels else None
    return tickers
