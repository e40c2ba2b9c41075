"""Signing up, a forgotten password and a new one, through the API.

Nobody learns here who has an account: a known and an unknown address get one answer, and the
letter says the rest.
"""

from __future__ import annotations

import uuid

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.account.models import EmailAddress
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import actions, step_up
from apps.accounts.api import PASSWORD_LENGTH_MAX, SecretText, TokenEndpoint
from apps.accounts.fields import AddressText
from apps.accounts.queries import person_by_email
from apps.accounts.visits import keep_session, sign_in_of
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.errors import NotAllowed
from apps.core.fields import StrictSerializer, StrictText
from apps.core.openapi import documented

_SENT = {"detail": "A letter is on its way. It says how to go on."}


class SignUpInput(StrictSerializer):
    email = AddressText()
    password = SecretText(max_length=PASSWORD_LENGTH_MAX)
    display_name = StrictText(max_length=40)


class ResetInput(StrictSerializer):
    email = AddressText()


class NewPasswordInput(StrictSerializer):
    password = SecretText(max_length=PASSWORD_LENGTH_MAX)


class SentOutput(serializers.Serializer[dict[str, object]]):
    detail = serializers.CharField()


class SignUpView(TokenEndpoint):
    @documented(
        summary="Make an account",
        description=(
            "Whether there was one with this address already, only the letter says. Passwords "
            "have 15 characters or more and are on no list of common ones."
        ),
        tag="sign-in",
        body=SignUpInput,
        body_example={
            "email": "grace@example.com", "password": "four plain words here",
            "display_name": "Grace",
        },
        answer=SentOutput,
        status=202,
        example=_SENT,
        refusals={400: "password_too_short", 429: "too_many_attempts"},
        public=True,
        operation_id="sign_up",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(SignUpInput)
        self.hold_back(request)
        user = actions.sign_up(
            email=given["email"],
            password=given["password"],
            display_name=given["display_name"],
            now=clock.now(),
        )
        if user is None:
            get_adapter().send_account_already_exists_mail(given["email"])
        else:
            address = EmailAddress.objects.create(user=user, email=user.email, primary=True)
            send_verification_email_to_address(request._request, address, signup=True)
        return Response(_SENT, status=202)


class PasswordResetView(TokenEndpoint):
    @documented(
        summary="Have a link sent that chooses a new password",
        tag="sign-in",
        body=ResetInput,
        body_example={"email": "grace@example.com"},
        answer=SentOutput,
        status=202,
        example=_SENT,
        refusals={400: "invalid_email", 429: "too_many_attempts"},
        public=True,
        operation_id="reset_password",
    )
    def post(self, request: Request) -> Response:
        email = self.read_body(ResetInput)["email"]
        self.hold_back(request)
        person = person_by_email(email=email)
        users = [person] if person is not None and person.is_active else []
        request_password_reset(request._request, email, users, default_token_generator)
        return Response(_SENT, status=202)


class PasswordView(Endpoint):
    @documented(
        summary="Choose a new password; every other sign-in ends",
        description="It takes a fresh proof of who you are: `POST /auth/step-up`.",
        tag="sign-in",
        body=NewPasswordInput,
        body_example={"password": "four plain words here"},
        answer=None,
        status=204,
        refusals={400: "password_too_short", 403: "step_up_required"},
        operation_id="change_password",
    )
    def post(self, request: Request) -> Response:
        if request.auth is not None and not isinstance(request.auth, uuid.UUID):
            raise NotAllowed("permission_denied", "A key cannot change a password.")
        kept = request.auth if isinstance(request.auth, uuid.UUID) else sign_in_of(request._request)
        actions.change_password(
            actor=self.person,
            password=self.read_body(NewPasswordInput)["password"],
            kept=kept,
            proved_at=step_up.proved_at(request),
            now=clock.now(),
        )
        if request.auth is None:
            keep_session(request._request, self.person)
        return Response(status=204)
