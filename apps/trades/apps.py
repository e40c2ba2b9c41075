"""Registers the trades app."""

from django.apps import AppConfig


class TradesConfig(AppConfig):
    name = "apps.trades"
