"""Addresses of the API's own description."""

from django.urls import path

from apps.pages import api

urlpatterns = [
    path("schema", api.SchemaView.as_view(), name="schema"),
    path("docs", api.docs, name="docs"),
]
