"""Addresses of orders, fills and positions."""

from django.urls import path

from apps.trades import api, pair_api, position_api
from apps.trades.risk import api as risk_api
from apps.trades.tax import api as tax_api

urlpatterns = [
    path("orders", api.OrdersView.as_view(), name="orders"),
    path("orders/batch", api.BatchView.as_view(), name="orders-batch"),
    path("orders/pair", pair_api.PairView.as_view(), name="orders-pair"),
    path("orders/cancel-after", api.CancelAfterView.as_view(), name="orders-cancel-after"),
    path("orders/<str:order_id>/replace", api.ReplaceView.as_view(), name="order-replace"),
    path("orders/<str:order_id>", api.OrderView.as_view(), name="order"),
    path("fills", api.FillsView.as_view(), name="fills"),
    path("positions", position_api.PositionsView.as_view(), name="positions"),
    path("positions/<str:asset>/lots", position_api.LotsView.as_view(), name="lots"),
    path("gains", tax_api.GainsView.as_view(), name="gains"),
    path("gains.csv", tax_api.GainsCsvView.as_view(), name="gains-csv"),
    path("gains.pdf", tax_api.GainsPdfView.as_view(), name="gains-pdf"),
    path("risk/limits", risk_api.RiskLimitsView.as_view(), name="risk-limits"),
]
