"""Addresses of orders and fills."""

from django.urls import path

from apps.trades import api

urlpatterns = [
    path("orders", api.OrdersView.as_view(), name="orders"),
    path("orders/batch", api.BatchView.as_view(), name="orders-batch"),
    path("orders/<str:order_id>", api.OrderView.as_view(), name="order"),
    path("fills", api.FillsView.as_view(), name="fills"),
]
