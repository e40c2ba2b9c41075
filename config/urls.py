"""Where every address goes: pages, API, people, admin. Each app owns what is below its prefix."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from apps.pages import health, staff_views, trail_views

# Failures outside REST framework: JSON under /api/, pages elsewhere.
handler400 = "apps.core.web.bad_request"
handler403 = "apps.core.web.forbidden"
handler404 = "apps.core.web.not_found"
handler429 = "apps.core.web.too_many"
handler500 = "apps.core.web.server_error"

SITE_APPS = ["pages", "accounts", "accounts.kyc", "notifications", "wallets", "markets", "trades"]
API_APPS = ["core", *SITE_APPS]

# Staff sign in where everybody does, under the same limits; who is no staff gets 403.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    *[path("api/v1/", include(f"apps.{app}.api_urls")) for app in API_APPS],
    *[path("", include(f"apps.{app}.urls")) for app in SITE_APPS],
    path("accounts/", include("apps.accounts.entrance_urls")),
    path("accounts/", include("allauth.account.urls")),
    # Named, so that the missing slash is not corrected for those who must not know of the admin.
    path("admin", RedirectView.as_view(url="/admin/")),
    path(
        "admin/people/<uuid:public_id>/",
        admin.site.admin_view(staff_views.person),
        name="person_file",
    ),
    path("admin/queues/", admin.site.admin_view(staff_views.queues), name="staff_queues"),
    path("admin/trail/", admin.site.admin_view(trail_views.trail), name="audit_trail"),
    path("admin/", admin.site.urls),
]
