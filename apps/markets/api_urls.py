"""Addresses of public market data."""

from django.urls import path

from apps.markets import api

urlpatterns = [
    path("markets", api.MarketsView.as_view(), name="markets"),
    path("markets/<str:symbol>", api.MarketView.as_view(), name="market"),
    path("markets/<str:symbol>/book", api.BookView.as_view(), name="book"),
    path("markets/<str:symbol>/trades", api.TradesView.as_view(), name="trades"),
    path("markets/<str:symbol>/candles", api.CandlesView.as_view(), name="candles"),
    path("markets/<str:symbol>/ticker", api.TickerView.as_view(), name="ticker"),
    path("tickers", api.TickersView.as_view(), name="tickers"),
]
