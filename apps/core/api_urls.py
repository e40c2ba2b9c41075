"""Addresses of the venue's clock."""

from django.urls import path

from apps.core.api import TimeView

urlpatterns = [path("time", TimeView.as_view(), name="time")]
