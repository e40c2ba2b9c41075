"""Tokens of the API: signing in, staying signed in, signing out, and tickets for sockets.

An app gets its refresh token in the body. A browser asks for it in a cookie that no script can
read and that goes to these addresses only; using it takes the CSRF token.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.conf import settings
from django.middleware.csrf import get_token
from django_ratelimit.core import get_usage
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import actions, signing_keys
from apps.accounts.authentication import BearerAuthentication
from apps.accounts.factors import challenges
from apps.accounts.factors.passkeys import host_name
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.sessions import API, Visit
from apps.core import clock
from apps.core.endpoint import Endpoint, PublicEndpoint
from apps.core.errors import NotAllowed, NotSignedIn, TooMany
from apps.core.fields import StrictBoolean, StrictSerializer, StrictText
from apps.core.openapi import documented
from apps.core.realtime import tickets
from apps.core.scopes import READ, KeyGrant
from apps.core.web import client_address

REFRESH_COOKIE: Final = "__Secure-refresh"
REFRESH_PATH: Final = "/api/v1/auth/"
PASSWORD_LENGTH_MAX: Final = 1024

PAIR_EXAMPLE: Final = {
    "access": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl",
    "refresh": "Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCB0b2s",
    "expires_in": 600,
}


class SecretText(StrictText):
    """A password: any characters, counted in bytes of work and not in taste."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or len(data) > self.max_length:
            self.fail("invalid_text", max_length=self.max_length)
        return data


class TokenInput(StrictSerializer):
    email = StrictText(max_length=254)
    password = SecretText(max_length=PASSWORD_LENGTH_MAX)
    cookie = StrictBoolean(default=False, help_text="Put the refresh token into a cookie.")


class RefreshInput(StrictSerializer):
    refresh = StrictText(max_length=100, required=False, help_text="Not needed with the cookie.")


class TokenOutput(serializers.Serializer[dict[str, object]]):
    access = serializers.CharField()
    refresh = serializers.CharField(required=False, help_text="Not there when it is in the cookie.")
    expires_in = serializers.IntegerField(help_text="Seconds until the access token ends.")
    csrf_token = serializers.CharField(
        required=False, help_text="With the cookie: send it as X-CSRFToken."
    )


class TokenKeyOutput(serializers.Serializer[dict[str, object]]):
    kty = serializers.CharField()
    crv = serializers.CharField()
    alg = serializers.CharField()
    use = serializers.CharField()
    kid = serializers.CharField(help_text="The `kid` in the header of tokens.")
    x = serializers.CharField(help_text="The public key, base64url.")


class TokenKeySetOutput(serializers.Serializer[dict[str, object]]):
    keys = TokenKeyOutput(many=True)


class TicketOutput(serializers.Serializer[dict[str, object]]):
    ticket = serializers.CharField(help_text="Works once.")
    expires_in = serializers.IntegerField()


class TokenEndpoint(Endpoint):
    """Open to all, since who calls it is about to say who he is."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes = (AllowAny,)

    def hold_back(self, request: Request) -> None:
        """Limit the tries of one address. Without Valkey nobody is counted, nor let in."""
        usage = get_usage(
            request,
            group="api.sign_in",
            key=lambda group, asking: client_address(asking),
            rate=settings.SIGN_IN_RATE_PER_ADDRESS,
            increment=True,
        )
        if usage is not None and usage["should_limit"]:
            raise TooMany(
                "too_many_attempts",
                "Too many attempts from this address. Wait a little, then try again.",
                retry_after_seconds=max(1, usage["time_left"]),
            )

    def answer(self, request: Request, pair: actions.TokenPair, *, cookie: bool) -> Response:
        body: dict[str, object] = {"access": pair.access, "expires_in": pair.expires_in}
        if not cookie:
            return Response({**body, "refresh": pair.refresh})
        response = Response({**body, "csrf_token": get_token(request._request)})
        response.set_cookie(
            REFRESH_COOKIE, pair.refresh, path=REFRESH_PATH, secure=True, httponly=True,
            samesite="Strict", max_age=int(actions.REFRESH_LIFETIME.total_seconds()),
        )  # fmt: skip
        return response


class TokenView(TokenEndpoint):
    @documented(
        summary="Sign in with e-mail address and password",
        tag="sign-in",
        body=TokenInput,
        body_example={"email": "trader1@example.com", "password": "sum1-demo-password"},
        answer=TokenOutput,
        example=PAIR_EXAMPLE,
        description=(
            "Who has a second factor is refused with 401 `second_factor_required`, and goes on at "
            "`POST /auth/token/second-factor` with the `challenge` of that refusal."
        ),
        refusals={401: "invalid_credentials", 403: "csrf_failed", 429: "too_many_attempts"},
        public=True,
        operation_id="sign_in",
    )
    def post(self, request: Request) -> Response:
        given = self.read_body(TokenInput)
        self.hold_back(request)
        if given["cookie"]:
            check_origin(request)
        user = actions.check_credentials(
            email=given["email"],
            password=given["password"],
            now=clock.now(),
            visit=Visit.of(
                client=request.headers.get("User-Agent", ""),
                address=client_address(request),
                way=API,
            ),
        )
        if has_second_factor(person=user):
            raise challenges.second_factor_required(person=user, host=host_name(request.get_host()))
        pair = actions.open_sign_in(
            actor=user,
            client=request.headers.get("User-Agent", ""),
            address=client_address(request),
            now=clock.now(),
        )
        return self.answer(request, pair, cookie=given["cookie"])


class RefreshView(TokenEndpoint):
    @documented(
        summary="Exchange a refresh token for the next pair",
        description=(
            "Each refresh token is good once. A used one that comes back ends the sign-in, unless "
            "it comes within ten seconds of its use: then the same successor is returned, so that "
            "an answer that got lost costs nothing."
        ),
        tag="sign-in",
        body=RefreshInput,
        body_example={"refresh": PAIR_EXAMPLE["refresh"]},
        answer=TokenOutput,
        example=PAIR_EXAMPLE,
        refusals={401: "token_invalid", 403: "csrf_failed"},
        public=True,
        operation_id="refresh",
    )
    def post(self, request: Request) -> Response:
        refresh = self.read_body(RefreshInput).get("refresh")
        cookie = refresh is None
        if refresh is None:
            refresh = request.COOKIES.get(REFRESH_COOKIE)
            if refresh is None:
                raise NotSignedIn("token_invalid", "Send the refresh token.")
            _check_csrf(request)
        pair = actions.rotate_refresh(refresh=refresh, now=clock.now())
        return self.answer(request, pair, cookie=cookie)


class KeySetView(PublicEndpoint):
    @documented(
        summary="The public keys that access tokens are signed with (JWKS)",
        description="For services that verify tokens themselves. The first key is the newest.",
        tag="sign-in",
        answer=TokenKeySetOutput,
        example={
            "keys": [
                {
                    "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                    "kid": "0f1e2d3c4b5a6978",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                }
            ]
        },
        public=True,
        operation_id="token_keys",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return Response({"keys": signing_keys.published(now=clock.now())})


class LogoutView(TokenEndpoint):
    authentication_classes = (BearerAuthentication,)

    @documented(
        summary="End this sign-in; its tokens stop at once",
        tag="sign-in",
        body=RefreshInput,
        body_example={"refresh": PAIR_EXAMPLE["refresh"]},
        answer=None,
        status=204,
        refusals={401: "authentication_required", 403: "csrf_failed"},
        operation_id="sign_out",
    )
    def post(self, request: Request) -> Response:
        refresh = self.read_body(RefreshInput).get("refresh")
        if refresh is None and REFRESH_COOKIE in request.COOKIES:
            _check_csrf(request)
            refresh = request.COOKIES[REFRESH_COOKIE]
        if refresh is not None:
            actions.end_sign_in_of_refresh(refresh=refresh, now=clock.now())
        elif isinstance(request.auth, uuid.UUID):
            actions.end_sign_in(sign_in_id=request.auth, now=clock.now())
        else:
            raise NotSignedIn("authentication_required", "Sign in, or send a token.")
        response = Response(status=204)
        response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH, samesite="Strict")
        return response


class TicketView(Endpoint):
    scopes: ClassVar = {"POST": READ}

    @documented(
        summary="Get a ticket that opens one WebSocket",
        description="For clients without the site's cookie. It works once, within 30 seconds.",
        tag="sign-in",
        answer=TicketOutput,
        status=201,
        example={"ticket": "c2VudCBvbmNlLCB1c2VkIG9uY2UsIGdvbmU", "expires_in": 30},
        refusals={403: "csrf_failed"},
        operation_id="ticket",
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.auth, uuid.UUID):
            ticket = tickets.issue(self.person, sign_in=str(request.auth))
        elif isinstance(request.auth, KeyGrant):
            ticket = tickets.issue(self.person, grant=request.auth)
        else:
            ticket = tickets.issue(self.person, session_key=request.session.session_key or "")
        return Response({"ticket": ticket, "expires_in": tickets.TICKET_SECONDS}, status=201)


def _check_csrf(request: Request) -> None:
    """Django's own check of origin and token, for who is known by a cookie."""
    SessionAuthentication().enforce_csrf(request)


def check_origin(request: Request) -> None:
    """Refuse to set the cookie for a page of another site."""
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return
    if origin != f"{request.scheme}://{request.get_host()}":
        raise NotAllowed("csrf_failed", "This page may not sign anybody in here.")
