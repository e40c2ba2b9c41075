"""How the API knows who is asking: a bearer token, or the site's session with its CSRF check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from apps.accounts.queries import caller_of_token
from apps.core.errors import NotSignedIn
from apps.core.web import BEARER

if TYPE_CHECKING:
    from uuid import UUID

    from apps.accounts.models import User


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``. ``request.auth`` is the sign-in's id."""

    def authenticate(self, request: Request) -> tuple[User, UUID] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token or " " in token:
            raise NotSignedIn("token_invalid", "The token is not valid, or no longer.")
        caller = caller_of_token(token=token)
        return caller.user, caller.sign_in_id

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class SiteSessionAuthentication(SessionAuthentication):
    """The session of the site; every request that changes something needs the CSRF token."""


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of POST /api/v1/auth/token; good for ten minutes.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = SiteSessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of the site; writes need the X-CSRFToken header too.",
        }
