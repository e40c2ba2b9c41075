"""Addresses below /accounts/ of the steps that allauth's own views do not take."""

from django.urls import path

from apps.accounts.factors import entrance

urlpatterns = [
    path("2fa/authenticate/", entrance.second_step, name="mfa_authenticate"),
    path("2fa/passkey/", entrance.passkey, name="passkey_login"),
]
