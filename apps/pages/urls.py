"""Addresses of the pages that span apps."""

from django.urls import path

from apps.pages import views

app_name = "pages"
urlpatterns = [
    path("", views.home, name="home"),
    path("portfolio", views.portfolio, name="portfolio"),
]
