"""Small forms of taste: appearance and favourite markets. Signing in and up is allauth's."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from apps.accounts.preferences import (
    FAVOURITES_COOKIE,
    PALETTE_COOKIE,
    PALETTES,
    THEME_COOKIE,
    THEMES,
    is_symbol,
    preferences_of,
    remember,
    toggle_favourite,
)


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    response = _back(request)
    for field, cookie, known in (
        ("theme", THEME_COOKIE, THEMES),
        ("palette", PALETTE_COOKIE, PALETTES),
    ):
        value = request.POST.get(field, "")
        if value in known:
            remember(response, request, cookie, value)
    return response


@require_POST
def favourite(request: HttpRequest) -> HttpResponse:
    response = _back(request)
    symbol = request.POST.get("market", "")
    if is_symbol(symbol):
        chosen = toggle_favourite(preferences_of(request).favourites, symbol)
        remember(response, request, FAVOURITES_COOKIE, "_".join(chosen))
    return response


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page the form was on; an address outside this site is ignored."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        target = reverse("pages:home")
    return redirect(target)
