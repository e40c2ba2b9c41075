"""Where allauth's pages for signing up and in meet our own actions and limits."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse

from apps.accounts import actions, sessions, step_up
from apps.accounts.events import person_arrived
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.frozen import closed
from apps.accounts.models import User
from apps.accounts.visits import key_of, visit_of
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
                visit=visit_of(request),
            )
        except TooMany:
            raise self.validation_error("too_many_login_attempts") from None
        except NotSignedIn:
            return None

    def pre_login(
        self, request: HttpRequest, user: AbstractBaseUser, **how: Any
    ) -> HttpResponse | None:
        """Whoever comes with the right password finds a frozen account closed, and a letter."""
        refused: HttpResponse | None = super().pre_login(request, user, **how)
        if refused is None and isinstance(user, User) and user.frozen_at is not None:
            return closed(request, user)
        return refused

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        now, person = clock.now(), cast(User, user)
        step_up.record(request, now=now)
        sessions.open_on_site(
            actor=person, session_key=key_of(request), visit=visit_of(request), now=now
        )
        person_arrived(person, now)

    def logout(self, request: HttpRequest) -> None:
        sessions.end_on_site(session_key=key_of(request), now=clock.now())
        super().logout(request)

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """After a link by mail: nothing is kept, whoever holds it logs in anew."""
        actions.replace_password(
            person=cast(User, user), password=password, kept=None, now=clock.now()
        )

    def send_notification_mail(self, *args: Any, **options: Any) -> None:
        """Nothing: our own actions tell people, in the transaction of what they tell about."""


class FactorAdapter(DefaultMFAAdapter):
    """The second step of logging in is asked of whoever has a second factor."""

    def is_mfa_enabled(self, user: AbstractBaseUser, types: Any = None) -> bool:
        return isinstance(user, User) and has_second_factor(person=user)
