"""The short-lived access token: a JWT of one algorithm, one issuer and one audience.

It names a person and a sign-in. What else a token's header claims (other algorithms, key ids, key
addresses) is never looked at.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from apps.core.errors import NotSignedIn

LIFETIME: Final = timedelta(minutes=10)
CLOCK_LEEWAY_SECONDS: Final = 30
AUDIENCE: Final = "sum1-api"
ISSUER: Final = "sum1"
TOKEN_LENGTH_MAX: Final = 2048


@dataclass(frozen=True, slots=True)
class Claims:
    person: uuid.UUID
    sign_in: uuid.UUID


class AccessToken(Token):
    token_type = "access"
    lifetime = LIFETIME

    def get_token_backend(self) -> TokenBackend:
        return _backend(settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _backend(secret: str) -> TokenBackend:
    # A key of its own, so that a token is never a signature for anything else.
    key = hashlib.sha256(b"sum1 access token\n" + secret.encode()).hexdigest()
    return TokenBackend(
        algorithm="HS256",
        signing_key=key,
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=CLOCK_LEEWAY_SECONDS,
    )


def issue(claims: Claims) -> str:
    """Return a token that is good for ``LIFETIME``."""
    token = AccessToken()
    token["sub"] = str(claims.person)
    token["sid"] = str(claims.sign_in)
    return str(token)


def read(text: str) -> Claims:
    """Return what the token says, or refuse it without saying why."""
    if len(text) > TOKEN_LENGTH_MAX or not text.isascii():
        raise _refusal()
    try:
        token = AccessToken(text)  # type: ignore[arg-type]
        return Claims(uuid.UUID(token["sub"]), uuid.UUID(token["sid"]))
    except (TokenError, KeyError, ValueError, AttributeError, TypeError):
        raise _refusal() from None


def _refusal() -> NotSignedIn:
    return NotSignedIn("token_invalid", "The token is not valid, or no longer.")
