"""Addresses of the pages about markets."""

from django.urls import path

from apps.markets import views

app_name = "markets"
urlpatterns = [path("markets", views.market_list, name="list")]
