"""Where allauth's sign-in by other sites meets our own rules.

What a site says is input. Of its addresses one is taken, and it is proved only where the site says
so itself; the rest of what it tells is not kept.
"""

from __future__ import annotations

import secrets
from typing import Any, NoReturn, cast

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from apps.accounts import step_up
from apps.accounts.models import User
from apps.accounts.queries import person_by_email
from apps.accounts.social import actions
from apps.core import clock
from apps.core.errors import DomainError

NAME_LENGTH_MIN = 2
NAME_LENGTH_MAX = 40


class SocialAdapter(DefaultSocialAccountAdapter):
    """The entrance is ours: frozen, second factor, history and new devices as with a password."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Only what the environment names: no table decides who may vouch for people."""
        return [
            SocialApp(**app)
            for app in settings.SOCIAL_APPS
            if provider in (None, app["provider"], app["provider_id"])
            and client_id in (None, app["client_id"])
        ]

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> User:
        """Take what is needed of what the site tells, before anything of it is kept."""
        _check_one_person(sociallogin.account.extra_data)
        address = _address_of(sociallogin.email_addresses)
        sociallogin.email_addresses = [address] if address else []
        user = cast(User, sociallogin.user)
        user.email = address.email if address else ""
        user.display_name = _name_of(data)
        known_as = user.email or user.display_name
        sociallogin.account.extra_data = {"known_as": known_as}
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            raise ImmediateHttpResponse(_connect(request, sociallogin))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Who has an account is sent to it; where the site gives no address there is none."""
        name = sociallogin.provider.app.name
        if not sociallogin.email_addresses:
            _turn_away(request, f"{name} did not tell us your e-mail address. Sign up with it.")
        (address,) = sociallogin.email_addresses
        if person_by_email(email=address.email) is None:
            return True
        if address.verified:
            # It is theirs, so that there is nothing to hide from them.
            _turn_away(
                request,
                f"There is an account with {address.email} already. Log in to it, then connect "
                f"{name} on the page Security.",
            )
        get_account_adapter().send_account_already_exists_mail(address.email)
        raise ImmediateHttpResponse(redirect("account_email_verification_sent"))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user = cast(User, sociallogin.user)
        user.set_unusable_password()
        try:
            with transaction.atomic():
                sociallogin.save(request)
        except IntegrityError:
            # Of two at once, the other was faster.
            _turn_away(request, "That was done a moment ago. Log in.")
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, **how: Any
    ) -> None:
        _turn_away(request, f"{provider.name} has not let you in. Try again, or another way.")

    def send_notification_mail(self, *args: Any, **options: Any) -> None:
        """Nothing: our own actions tell people, in the transaction of what they tell about."""


def _connect(request: HttpRequest, sociallogin: SocialLogin) -> Any:
    if not request.user.is_authenticated:
        return redirect("account_login")
    name = sociallogin.provider.app.name
    try:
        is_new = actions.connect(
            actor=request.user,
            site_id=sociallogin.account.provider,
            uid=sociallogin.account.uid,
            known_as=sociallogin.account.extra_data["known_as"],
            proved_at=step_up.proved_at(request),
            now=clock.now(),
        )
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        words = "is connected: it lets you in from now on." if is_new else "was connected already."
        messages.success(request, f"{name} {words}")
    return redirect("accounts:security")


def _turn_away(request: HttpRequest, words: str) -> NoReturn:
    messages.error(request, words)
    is_in = request.user.is_authenticated
    raise ImmediateHttpResponse(redirect("accounts:security" if is_in else "account_login"))


def _check_one_person(told: Any) -> None:
    """Refuse where the signed token and the answer beside it are about two people."""
    subjects = {
        str(told[part].get("sub"))
        for part in ("userinfo", "id_token")
        if isinstance(told.get(part), dict)
    }
    if len(subjects) > 1:
        raise PermissionDenied


def _address_of(addresses: list[EmailAddress]) -> EmailAddress | None:
    """Return the one address that is taken: a proved one before the main one."""
    for address in addresses:
        # Some sites send the word "true"; only a yes is a yes.
        address.verified = address.verified is True
        address.email = address.email.lower()
    best = sorted(addresses, key=lambda each: (not each.verified, not each.primary))
    if not best:
        return None
    best[0].primary = True
    return best[0]


def _name_of(data: Any) -> str:
    """Return a name that others may see; the address is none."""
    for given in (data.get("name"), data.get("username")):
        text = given if isinstance(given, str) else ""
        name = " ".join(text.split())[:NAME_LENGTH_MAX].strip()
        if len(name) >= NAME_LENGTH_MIN and name.isprintable() and "@" not in name:
            return name
    return f"Trader {secrets.token_hex(3)}"
