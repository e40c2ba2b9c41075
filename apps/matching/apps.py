"""Registers the matching app: the engine's shell."""

from django.apps import AppConfig


class MatchingConfig(AppConfig):
    name = "apps.matching"
