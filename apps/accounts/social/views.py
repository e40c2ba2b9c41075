"""Going to another site to sign in or to connect it, and coming back."""

from __future__ import annotations

from typing import Any, Final, cast

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import step_up
from apps.accounts.factors.views import freshly_proved
from apps.accounts.models import User
from apps.accounts.social import actions
from apps.accounts.social.queries import site_of
from apps.core import clock, ratelimit
from apps.core.errors import DomainError, NotFound, TooMany
from apps.core.web import client_address

# Of one address: so many at once, then one in five seconds.
BEGINNINGS: Final = ratelimit.Bucket(capacity=20, per_second=1 / 5)
# What a site can do wrong: not be there, or answer what nobody can use.
_UNUSABLE: Final = (
    OSError, OAuth2Error, ImproperlyConfigured, KeyError, ValueError, TypeError, AttributeError,
)  # fmt: skip


@require_POST
def sign_in(request: HttpRequest, site_id: str) -> HttpResponse:
    """Go to a site, to come back signed in."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        target = ""
    return _go(request, site_id, AuthProcess.LOGIN, target)


@freshly_proved
@require_POST
def connect(request: HttpRequest, site_id: str) -> HttpResponse:
    """Go to a site, to come back connected."""
    return _go(request, site_id, AuthProcess.CONNECT, reverse("accounts:security"))


@freshly_proved
@require_POST
def disconnect(request: HttpRequest, connection_id: int) -> HttpResponse:
    try:
        actions.disconnect(
            actor=cast(User, request.user), connection_id=connection_id,
            proved_at=step_up.proved_at(request), now=clock.now(),
        )  # fmt: skip
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "It is disconnected. Withdrawals wait for a day now.")
    return redirect("accounts:security")


@require_safe
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Come back from a site. Its word holds once, and for this browser only."""
    site_id = provider_id
    _check(site_id)
    adapter: Any = (
        GitHubOAuth2Adapter(request)
        if site_id == "github"
        else OpenIDConnectOAuth2Adapter(request, site_id)
    )
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(adapter)(request)
    except _UNUSABLE:
        return _failed(request, site_id)
    return answer


def _go(request: HttpRequest, site_id: str, process: str, target: str) -> HttpResponse:
    _check(site_id)
    # Each begins with a question to the site: nobody has us ask it without end.
    verdict = ratelimit.take(f"social:{client_address(request)}", BEGINNINGS)
    if not verdict.allowed:
        raise TooMany(
            "too_many_attempts",
            "Too many attempts from this address. Wait a little, then try again.",
            retry_after_seconds=verdict.retry_after_seconds,
        )
    try:
        provider = get_adapter(request).get_provider(request, site_id)
        answer: HttpResponse = provider.redirect(request, process=process, next_url=target or None)
    except ImmediateHttpResponse as turned_away:
        return cast(HttpResponse, turned_away.response)
    except _UNUSABLE:
        return _failed(request, site_id)
    return answer


def _check(site_id: str) -> None:
    try:
        site_of(site_id)
    except (NotFound, SocialApp.DoesNotExist):
        raise Http404 from None


def _failed(request: HttpRequest, site_id: str) -> HttpResponse:
    name = site_of(site_id).name
    messages.error(request, f"{name} cannot be reached, or gave no answer that can be used.")
    return redirect("accounts:security" if request.user.is_authenticated else "account_login")
