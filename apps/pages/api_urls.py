"""Addresses of the API's own description."""

from django.urls import path

from apps.pages import api

urlpatterns = [
    path("schema", api.schema, name="schema"),
    path("docs", api.docs, name="docs"),
]
