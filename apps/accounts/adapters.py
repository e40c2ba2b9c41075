"""Where allauth's pages for signing up and in meet our own actions and limits."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import BaseForm
from django.http import HttpRequest

from apps.accounts import actions, step_up
from apps.accounts.events import person_arrived
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotSignedIn, TooMany
from apps.core.web import client_address


class AccountAdapter(DefaultAccountAdapter):
    """The same limits and the same check as the API: nobody gets twice the guesses."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def clean_email(self, email: str) -> str:
        return email.lower()

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        return actions.fill_in_person(
            user=cast(User, user),
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password1"],
            display_name=form.cleaned_data["display_name"],
        )

    def add_message(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        """Say everything but that a mail was sent, which would tell known addresses from new ones.

        The page that follows says it to everybody; the mail itself may be left out when one was
        sent to the same address a moment ago.
        """
        if "account/messages/email_confirmation_sent.txt" not in (*args, *options.values()):
            super().add_message(request, *args, **options)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        try:
            return actions.check_credentials(
                email=credentials.get("email", ""),
                password=credentials.get("password", ""),
                now=clock.now(),
            )
        except TooMany:
            raise self.validation_error("too_many_login_attempts") from None
        except NotSignedIn:
            return None

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        now = clock.now()
        step_up.record(request, now=now)
        person_arrived(cast(User, user), now)

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        super().set_password(user, password)
        actions.end_all_sign_ins(user=cast(User, user), reason="password", now=clock.now())


class FactorAdapter(DefaultMFAAdapter):
    """The second step of logging in is asked of whoever has a second factor."""

    def is_mfa_enabled(self, user: AbstractBaseUser, types: Any = None) -> bool:
        return isinstance(user, User) and has_second_factor(person=user)
