"""The API's second step: the second factor after the password, and proving oneself anew."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import actions, step_up
from apps.accounts.api import (
    PAIR_EXAMPLE,
    PASSWORD_LENGTH_MAX,
    SecretText,
    TokenEndpoint,
    TokenOutput,
    check_origin,
)
from apps.accounts.factors import challenges
from apps.accounts.factors.actions import Given, check_second_factor
from apps.accounts.factors.passkeys import host_name
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.sessions import API, WRONG_FACTOR, Visit, note_try
from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.errors import Invalid, NotAllowed, NotSignedIn
from apps.core.fields import StrictBoolean, StrictField, StrictSerializer, StrictText
from apps.core.openapi import documented
from apps.core.web import client_address

_CHALLENGE: Final = "dGhpcyBpcyBmb3IgZXhhbXBsZSBhbmQgbm90IHJlYWw"


class PasskeyAnswer(StrictField):
    """What ``navigator.credentials.get`` returned, as ``toJSON`` writes it."""

    default_error_messages = {"invalid_passkey": "Send the passkey's answer as a JSON object."}

    def to_internal_value(self, data: Any) -> Mapping[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid_passkey")
        return data

    def described(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": True}


class FactorInput(StrictSerializer):
    challenge = StrictText(max_length=challenges.LENGTH_MAX)
    code = StrictText(max_length=20, required=False, help_text="From the app, or a recovery code.")
    passkey = PasskeyAnswer(required=False, help_text="In place of a code.")
    cookie = StrictBoolean(default=False, help_text="Put the refresh token into a cookie.")


class StepUpInput(StrictSerializer):
    password = SecretText(max_length=PASSWORD_LENGTH_MAX, required=False)
    challenge = StrictText(
        max_length=challenges.LENGTH_MAX, required=False, help_text="In place of the password."
    )
    code = StrictText(max_length=20, required=False)
    passkey = PasskeyAnswer(required=False)


class StepUpOutput(serializers.Serializer[dict[str, object]]):
    proved_at = serializers.DateTimeField()
    fresh_until = serializers.DateTimeField()


class SecondFactorView(TokenEndpoint):
    @documented(
        summary="Finish signing in with a second factor",
        description=(
            "`POST /auth/token` refuses who has a second factor with `second_factor_required`, a "
            "`challenge` that lives for five minutes, and the `methods` there are. Send the "
            "challenge here with a `code`, or with the answer of a `passkey`."
        ),
        tag="sign-in",
        body=FactorInput,
        body_example={"challenge": _CHALLENGE, "code": "123456"},
        answer=TokenOutput,
        example=PAIR_EXAMPLE,
        refusals={401: "invalid_second_factor", 403: "csrf_failed", 429: "too_many_attempts"},
        public=True,
        operation_id="sign_in_second_factor",
    )
    def post(self, request: Request) -> Response:
        given = self.read_body(FactorInput)
        self.hold_back(request)
        if given["cookie"]:
            check_origin(request)
        person, state = challenges.read(given["challenge"])
        factor = _given(given, state, request)
        if factor is None:
            raise Invalid("missing_field", "Send a code, or the answer of a passkey.")
        now = clock.now()
        visit = Visit.of(
            client=request.headers.get("User-Agent", ""), address=client_address(request), way=API
        )
        try:
            check_second_factor(person=person, given=factor, now=now)
        except NotSignedIn:
            note_try(person=person, outcome=WRONG_FACTOR, visit=visit, now=now)
            raise
        challenges.use_up(given["challenge"])
        pair = actions.open_sign_in(
            actor=person,
            client=visit.client,
            address=visit.address,
            now=now,
        )
        return self.answer(request, pair, cookie=given["cookie"])


class StepUpView(Endpoint):
    @documented(
        summary="Prove anew who you are, for what is sensitive",
        description=(
            "What is refused with `step_up_required` is possible for 15 minutes after this. Who "
            "has a second factor sends a `code` along, or is refused with a `challenge` to send "
            "here again with a code or the answer of a passkey."
        ),
        tag="sign-in",
        body=StepUpInput,
        body_example={"password": "sum1-demo-password"},
        answer=StepUpOutput,
        example={
            "proved_at": "2026-01-31T12:00:00Z", "fresh_until": "2026-01-31T12:15:00Z",
        },
        refusals={403: "permission_denied", 429: "too_many_attempts"},
        operation_id="step_up",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        if request.auth is not None and not isinstance(request.auth, uuid.UUID):
            raise NotAllowed("permission_denied", "A key cannot prove who holds it.")
        given, now = self.read_body(StepUpInput), clock.now()
        if "challenge" in given:
            self._by_challenge(request, given)
        else:
            self._by_password(request, given)
        if isinstance(request.auth, uuid.UUID):
            actions.note_proof(sign_in_id=request.auth, now=now)
        else:
            step_up.record(request._request, now=now)
        return Response(
            {"proved_at": clock.iso(now), "fresh_until": clock.iso(now + step_up.FRESH_FOR)}
        )

    def _by_challenge(self, request: Request, given: dict[str, Any]) -> None:
        person, state = challenges.read(given["challenge"])
        factor = _given(given, state, request)
        if person != self.person or factor is None:
            raise NotSignedIn("challenge_invalid", "Too late: begin again with the password.")
        check_second_factor(person=person, given=factor, now=clock.now())
        challenges.use_up(given["challenge"])

    def _by_password(self, request: Request, given: dict[str, Any]) -> None:
        factor = _given(given, None, request)
        password = given.get("password", "")
        if factor is None and has_second_factor(person=self.person):
            actions.check_credentials(email=self.person.email, password=password, now=clock.now())
            raise challenges.second_factor_required(
                person=self.person, host=host_name(request.get_host())
            )
        actions.prove_again(actor=self.person, password=password, given=factor, now=clock.now())


def _given(given: dict[str, Any], state: Any, request: Request) -> Given | None:
    if "passkey" in given:
        return Given(passkey=given["passkey"], state=state, host=host_name(request.get_host()))
    return Given(code=given["code"]) if "code" in given else None
