"""Addresses of the API's tokens."""

from django.urls import path

from apps.accounts import api

urlpatterns = [
    path("auth/token", api.TokenView.as_view(), name="token"),
    path("auth/token/refresh", api.RefreshView.as_view(), name="token-refresh"),
    path("auth/logout", api.LogoutView.as_view(), name="logout"),
    path("auth/ticket", api.TicketView.as_view(), name="ticket"),
]
