"""Addresses of the trading page and the lists of orders."""

from django.urls import path

from apps.trades import position_views, views
from apps.trades.risk import views as risk_views
from apps.trades.tax import views as tax_views

app_name = "trades"
urlpatterns = [
    path("trade", views.trade, name="trade"),
    path("trade/<str:symbol>", views.market, name="market"),
    path("trade/<str:symbol>/orders", views.place, name="place"),
    path("trade/<str:symbol>/candles", views.candle_table, name="candles"),
    path("orders", views.order_list, name="orders"),
    path("orders/orders.csv", views.download, {"what": "orders"}, name="orders-csv"),
    path("orders/fills.csv", views.download, {"what": "fills"}, name="fills-csv"),
    path("orders/ledger.csv", views.download, {"what": "ledger"}, name="ledger-csv"),
    path("orders/cancel-all", views.cancel_everything, name="cancel-all"),
    path("orders/<str:order_id>/cancel", views.cancel, name="cancel"),
    path("account/limits", risk_views.limits, name="limits"),
    path("gains", tax_views.gains, name="gains"),
    path("gains.csv", tax_views.download, {"kind": "csv"}, name="gains-csv"),
    path("gains.pdf", tax_views.download, {"kind": "pdf"}, name="gains-pdf"),
    path("positions/<str:asset>", position_views.lots, name="lots"),
]
