"""Registers the matching app."""

from django.apps import AppConfig


class MatchingConfig(AppConfig):
    name = "apps.matching"
