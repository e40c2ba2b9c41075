"""Addresses of security and preferences; allauth's own pages are under /accounts/."""

from django.urls import path

from apps.accounts import confirming, frozen, security_views, views
from apps.accounts.factors import views as factor_views
from apps.accounts.keys import views as keys_views
from apps.accounts.personal import views as personal_views
from apps.accounts.social import views as social_views

app_name = "accounts"
urlpatterns = [
    path("security", security_views.security, name="security"),
    path("security/confirm", confirming.confirm, name="confirm"),
    path("security/password", security_views.password, name="password"),
    path("security/places/<uuid:place_id>/end", security_views.end_place, name="end-place"),
    path("security/places/end-others", security_views.end_others, name="end-others"),
    path("security/email", security_views.email, name="email"),
    path("security/email/verify", security_views.send_verification, name="send-verification"),
    path("security/email/<str:token>", security_views.email_link, name="email-link"),
    path(
        "security/connections/<int:connection_id>/disconnect",
        social_views.disconnect,
        name="disconnect",
    ),
    path("security/freeze", frozen.freeze, name="freeze"),
    path("security/frozen", frozen.frozen, name="frozen"),
    path("security/unfreeze/<str:token>", frozen.unfreeze, name="unfreeze"),
    path("security/app", factor_views.add_totp, name="add-totp"),
    path("security/passkeys/new", factor_views.add_passkey, name="add-passkey"),
    path("security/factors/<int:factor_id>/remove", factor_views.remove, name="remove-factor"),
    path("security/recovery-codes", factor_views.renew_codes, name="renew-codes"),
    path("security/keys", keys_views.keys, name="keys"),
    path("security/keys/new", keys_views.new_key, name="new-key"),
    path("security/keys/<uuid:key_id>", keys_views.change_key, name="change-key"),
    path("security/keys/<uuid:key_id>/revoke", keys_views.revoke_key, name="revoke-key"),
    path("security/data", personal_views.personal, name="personal"),
    path("security/data/copies", personal_views.ask_for_export, name="ask-for-data"),
    path("security/data/copies/<uuid:export_id>", personal_views.download, name="download-data"),
    path("security/data/deletion", personal_views.ask_for_deletion, name="ask-for-deletion"),
    path("security/data/deletion/take-back", personal_views.take_back, name="take-back-deletion"),
    path("preferences/appearance", views.appearance, name="appearance"),
    path("preferences/favourite", views.favourite, name="favourite"),
]
