"""Addresses below /accounts/ of the steps that allauth's own views do not take."""

from django.urls import path
from django.views.generic import RedirectView

from apps.accounts.factors import entrance
from apps.accounts.social import views as social

_security = RedirectView.as_view(pattern_name="accounts:security")

urlpatterns = [
    # What allauth would do here without our second factor, our limits and our notices.
    path("password/change/", RedirectView.as_view(pattern_name="accounts:password")),
    path("password/set/", RedirectView.as_view(pattern_name="account_reset_password")),
    path("reauthenticate/", RedirectView.as_view(pattern_name="accounts:confirm")),
    path("email/", _security),
    path("2fa/authenticate/", entrance.second_step, name="mfa_authenticate"),
    path("2fa/passkey/", entrance.passkey, name="passkey_login"),
    path("social/<slug:site_id>", social.sign_in, name="social_sign_in"),
    path("social/<slug:site_id>/connect", social.connect, name="social_connect"),
    # By these names allauth finds where a site is to send people back to.
    path("social/github/back", social.callback, {"provider_id": "github"}, name="github_callback"),
    path("social/<slug:provider_id>/back", social.callback, name="openid_connect_callback"),
]
