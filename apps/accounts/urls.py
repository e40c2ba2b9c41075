"""Addresses of the preferences' forms; allauth's own pages are under /accounts/."""

from django.urls import path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [
    path("preferences/appearance", views.appearance, name="appearance"),
    path("preferences/favourite", views.favourite, name="favourite"),
]
