"""The short-lived access token: a JWT of one algorithm, one issuer and one audience.

It names a person and a sign-in. What else a token's header claims (other algorithms, key ids, key
addresses) is never looked at.
"""

from __future__ import annotations

import hashlib
import time
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
# Tokens that were verified and are remembered: some hundred bytes each.
TOKENS_KEPT_MAX: Final = 4096


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
        claims, expires_at = _verified(text, settings.SECRET_KEY)
    except (TokenError, KeyError, ValueError, AttributeError, TypeError):
        raise _refusal() from None
    if time.time() >= expires_at + CLOCK_LEEWAY_SECONDS:
        raise _refusal()
    return claims


@lru_cache(maxsize=TOKENS_KEPT_MAX)
def _verified(text: str, secret: str) -> tuple[Claims, int]:
    """Return the claims of a good token and when it ends, in seconds since 1970.

    A token sent again is not verified again: of all that was good about it, only the time passes.
    """
    token = AccessToken(text)  # type: ignore[arg-type]
    return Claims(uuid.UUID(token["sub"]), uuid.UUID(token["sid"])), int(token["exp"])


def _refusal() -> NotSignedIn:
    return NotSignedIn("token_invalid", "The token is not valid, or no longer.")
