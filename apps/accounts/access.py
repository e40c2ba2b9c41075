"""The short-lived access token: a JWT of one algorithm, one issuer and one audience.

It names a person and a sign-in. Of its header only the key's name is read, which is one of ours or
of no use; other algorithms and addresses of keys are never looked at.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidKeyError, PyJWTError
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from apps.accounts import signing_keys
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
        return _BACKEND


class _KeyedBackend(TokenBackend):
    """Signs with the newest key and names it; verifies with the key of that name, if it is ours."""

    def encode(self, payload: dict[str, Any]) -> str:
        signer = signing_keys.signer()
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(
            claims, signer.key, algorithm=signing_keys.ALGORITHM, headers={"kid": signer.name}
        )

    def get_verifying_key(self, token: Any) -> Any:
        key = signing_keys.public_key(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise InvalidKeyError("No key of ours has this name.")
        return key


_BACKEND: Final = _KeyedBackend(
    algorithm=signing_keys.ALGORITHM,
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
        claims, expires_at, key_name = _verified(text)
    except (TokenError, PyJWTError, KeyError, ValueError, AttributeError, TypeError):
        raise _refusal() from None
    if time.time() >= expires_at + CLOCK_LEEWAY_SECONDS or not signing_keys.is_usable(key_name):
        raise _refusal()
    return claims


def forget_tokens() -> None:
    """Verify every token anew."""
    _verified.cache_clear()


@lru_cache(maxsize=TOKENS_KEPT_MAX)
def _verified(text: str) -> tuple[Claims, int, str]:
    """Return the claims of a good token, when it ends in seconds since 1970, and its key.

    A token sent again is not verified again: of all that was good about it, only the time passes,
    and its key may be replaced.
    """
    token = AccessToken(text)  # type: ignore[arg-type]
    name = str(jwt.get_unverified_header(text)["kid"])
    return Claims(uuid.UUID(token["sub"]), uuid.UUID(token["sid"])), int(token["exp"]), name


def _refusal() -> NotSignedIn:
    return NotSignedIn("token_invalid", "The token is not valid, or no longer.")
