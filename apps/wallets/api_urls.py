"""Addresses of a person's own data."""

from django.urls import path

from apps.wallets import api

urlpatterns = [
    path("me", api.MeView.as_view(), name="me"),
    path("balances", api.BalancesView.as_view(), name="balances"),
    path("ledger", api.LedgerView.as_view(), name="ledger"),
]
