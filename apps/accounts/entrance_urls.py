"""Addresses below /accounts/ of the steps that allauth's own views do not take."""

from django.urls import path
from django.views.generic import RedirectView

from apps.accounts.factors import entrance

_security = RedirectView.as_view(pattern_name="accounts:security")

urlpatterns = [
    # What allauth would do here without our second factor, our limits and our notices.
    path("password/change/", RedirectView.as_view(pattern_name="accounts:password")),
    path("password/set/", RedirectView.as_view(pattern_name="account_reset_password")),
    path("reauthenticate/", RedirectView.as_view(pattern_name="accounts:confirm")),
    path("email/", _security),
    path("2fa/authenticate/", entrance.second_step, name="mfa_authenticate"),
    path("2fa/passkey/", entrance.passkey, name="passkey_login"),
]
