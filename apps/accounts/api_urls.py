"""Addresses of the API's tokens."""

from django.urls import path

from apps.accounts import api, entering_api, factor_api
from apps.accounts.keys import api as keys_api
from apps.accounts.personal import api as personal_api

urlpatterns = [
    path("auth/token", api.TokenView.as_view(), name="token"),
    path("auth/token/second-factor", factor_api.SecondFactorView.as_view(), name="second-factor"),
    path("auth/sign-up", entering_api.SignUpView.as_view(), name="sign-up"),
    path("auth/password-reset", entering_api.PasswordResetView.as_view(), name="password-reset"),
    path("auth/password", entering_api.PasswordView.as_view(), name="password"),
    path("auth/step-up", factor_api.StepUpView.as_view(), name="step-up"),
    path("auth/token/refresh", api.RefreshView.as_view(), name="token-refresh"),
    path("auth/jwks", api.KeySetView.as_view(), name="token-keys"),
    path("auth/logout", api.LogoutView.as_view(), name="logout"),
    path("auth/ticket", api.TicketView.as_view(), name="ticket"),
    path("me/exports", personal_api.ExportsView.as_view(), name="data-exports"),
    path("me/deletion", personal_api.DeletionView.as_view(), name="deletion"),
    path("keys", keys_api.KeysView.as_view(), name="keys"),
    path("keys/<uuid:key_id>", keys_api.KeyView.as_view(), name="key"),
]
