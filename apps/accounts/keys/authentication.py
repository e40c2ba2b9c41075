"""Who sent a signed request: its key, its signature, its time, its nonce and its address hold.

Until the signature holds, nothing is told apart: an unknown key and a wrong signature are the same.
"""

from __future__ import annotations

import hmac
import logging
import uuid
from typing import TYPE_CHECKING, Any, Final

import redis.exceptions
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.accounts.keys import actions, nonces, queries, rules
from apps.accounts.keys.models import ApiKey
from apps.core import clock, crypto
from apps.core.errors import NotAllowed, NotSignedIn, Unavailable
from apps.core.networks import is_inside
from apps.core.scopes import KeyGrant
from apps.core.web import client_address

if TYPE_CHECKING:
    from apps.accounts.models import User

logger = logging.getLogger(__name__)

KEY_HEADER: Final = "HTTP_SUM1_KEY"
_READS: Final = ("GET", "HEAD")


class SignedAuthentication(BaseAuthentication):
    """``SUM1-Key``, ``SUM1-Timestamp``, ``SUM1-Nonce``, ``SUM1-Signature``: see docs/api.md."""

    def authenticate(self, request: Request) -> tuple[User, KeyGrant] | None:
        given = request.META.get(KEY_HEADER)
        if given is None:
            return None
        found = queries.key_and_person(key_id=_read_id(given))
        if found is None:
            raise _refusal()
        key, person = found
        timestamp_ms = _check_timestamp(request)
        _check_signature(request, key)
        _check_state(request, key, person)
        _use_nonce(request, key, timestamp_ms)
        actions.note_use(key=key, address=client_address(request), now=clock.now())
        grant = KeyGrant(key.pk, key.version, frozenset(key.scopes), tuple(key.networks))
        return person, grant


class SignedScheme(OpenApiAuthenticationExtension):
    target_class = SignedAuthentication
    name = "signed"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "SUM1-Key",
            "description": (
                "The id of an API key, together with SUM1-Timestamp, SUM1-Nonce and "
                "SUM1-Signature; docs/api.md says what is signed."
            ),
        }


def _read_id(text: str) -> uuid.UUID:
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise _refusal() from None
    if str(found) != text:
        # What is signed names the key as it was sent: one way to write it is enough.
        raise _refusal()
    return found


def _check_timestamp(request: Request) -> int:
    timestamp_ms = rules.parse_timestamp_ms(request.META.get("HTTP_SUM1_TIMESTAMP", ""))
    if timestamp_ms is None or not rules.is_timely(timestamp_ms, clock.now_ns() // 1_000_000):
        raise NotSignedIn(
            "timestamp_refused",
            "SUM1-Timestamp must be the present time in milliseconds since 1970, within 30 s; "
            "GET /api/v1/time says what time it is here.",
        )
    return timestamp_ms


def _check_signature(request: Request, key: ApiKey) -> None:
    signature = rules.parse_signature(request.META.get("HTTP_SUM1_SIGNATURE", ""))
    nonce = request.META.get("HTTP_SUM1_NONCE", "")
    if signature is None or not rules.is_nonce(nonce):
        raise _refusal()
    plain = request._request
    text = rules.string_to_sign(
        key_id=str(key.pk),
        method=plain.method or "",
        target=plain.get_full_path(),
        timestamp=request.META["HTTP_SUM1_TIMESTAMP"],
        nonce=nonce,
        body=plain.body,
    )
    if key.algorithm == ApiKey.Algorithm.ED25519:
        holds = rules.ed25519_holds(bytes(key.public_key or b""), signature, text)
    else:
        holds = hmac.compare_digest(rules.hmac_signature(_secret_of(key), text), signature)
    if not holds:
        raise _refusal()


def _secret_of(key: ApiKey) -> bytes:
    try:
        return crypto.open_sealed(
            key.secret or b"",
            table="accounts_apikey", row=key.pk, field="secret", person_id=key.person_id,
        )  # fmt: skip
    except crypto.Unreadable as reason:
        logger.critical("The secret of API key %s cannot be opened: %s", key.pk, reason)
        raise _refusal() from None


def _check_state(request: Request, key: ApiKey, person: User) -> None:
    if key.revoked_at is not None:
        raise NotSignedIn("key_revoked", "This API key was revoked.")
    if key.expires_at is not None and key.expires_at <= clock.now():
        raise NotSignedIn("key_expired", "This API key has expired.")
    if key.networks and not is_inside(client_address(request), key.networks):
        raise NotAllowed("address_not_allowed", "This API key may not be used from this address.")
    if person.frozen_at is not None and request.method not in _READS:
        raise NotAllowed("account_frozen", "The account is frozen, so nothing was done.")


def _use_nonce(request: Request, key: ApiKey, timestamp_ms: int) -> None:
    try:
        used = nonces.use(
            key_id=key.pk, nonce=request.META["HTTP_SUM1_NONCE"], timestamp_ms=timestamp_ms
        )
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        used = nonces.Use.UNKNOWN
    if used is nonces.Use.REPEATED:
        raise NotSignedIn("nonce_used", "This nonce was used before: each is good once.")
    # Who reads twice learns nothing new; who trades twice has traded twice.
    if used is nonces.Use.UNKNOWN and request.method not in _READS:
        raise Unavailable(
            "nonces_unavailable",
            "It cannot be checked now whether this request is new, so nothing was done. Sign it "
            "again and send it.",
        )


def _refusal() -> NotSignedIn:
    return NotSignedIn("signature_invalid", "The API key or the signature is not valid.")
