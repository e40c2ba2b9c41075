"""The keys that sign access tokens: Ed25519, one that signs, older ones that still verify.

The private half is sealed in the table; the public half is told to everybody (JWKS). A key that was
replaced verifies until the last token it may have signed has run out.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import SigningKey
from apps.core import clock, crypto

ALGORITHM: Final = "EdDSA"
# So long a process goes by what it has read: within it, all of them sign with the newest key.
RING_SECONDS: Final = 15.0
# The life of a token, the leeway of clocks, and the time until the last process has read anew.
KEPT_AFTER: Final = timedelta(minutes=11)
_LOCK: Final = 0x4B455953
_NAME: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now, and its name in the header of tokens."""

    name: str
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class _Ring:
    signer: Signer | None
    public: dict[str, Ed25519PublicKey]
    read_at: float


_ring: _Ring | None = None


def signer() -> Signer:
    """Return the key that signs now; the first process to ask makes the first one."""
    found = _current().signer
    if found is None:
        with transaction.atomic():
            _lock()
            if not SigningKey.objects.filter(retired_at=None).exists():
                _make(clock.now())
        found = _read_again().signer
    if found is None:
        raise RuntimeError("No key signs access tokens, though one was made just now.")
    return found


def public_key(name: object) -> Ed25519PublicKey | None:
    """Return the key of this name, where it still verifies; nothing else is ever looked up by it.

    A name that is not known yet may be of a key that was made a moment ago.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    known = _current().public
    if name not in known and _lasting(clock.now()).filter(name=name).exists():
        known = _read_again().public
    return known.get(name)


def is_usable(name: str) -> bool:
    """Say whether a key that verified a token before still does."""
    return name in _current().public


def rotate(*, now: datetime, at_once: bool = False) -> str:
    """Make the key that signs from now on; return its name. ``at_once`` ends all older ones."""
    with transaction.atomic():
        _lock()
        SigningKey.objects.filter(retired_at=None).update(retired_at=now)
        gone = SigningKey.objects.filter(retired_at__lte=now if at_once else now - KEPT_AFTER)
        gone.delete()
        made = _make(now)
    forget()
    return made.name


def published(*, now: datetime) -> list[dict[str, str]]:
    """Return the public keys as a JSON Web Key Set lists them, newest first."""
    return [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": ALGORITHM,
            "use": "sig",
            "kid": row.name,
            "x": base64.urlsafe_b64encode(bytes(row.public)).rstrip(b"=").decode(),
        }
        for row in _lasting(now).order_by("-id")
    ]


def forget() -> None:
    """Read the keys anew at the next need."""
    global _ring
    _ring = None


def _current() -> _Ring:
    if _ring is None or time.monotonic() - _ring.read_at > RING_SECONDS:
        return _read_again()
    return _ring


def _read_again() -> _Ring:
    global _ring
    rows = list(_lasting(clock.now()).order_by("-id"))
    public = {row.name: Ed25519PublicKey.from_public_bytes(bytes(row.public)) for row in rows}
    newest = next((row for row in rows if row.retired_at is None), None)
    found = None
    if newest is not None:
        private = crypto.open_sealed(newest.private, **_place(newest.name))
        found = Signer(newest.name, Ed25519PrivateKey.from_private_bytes(private))
    _ring = _Ring(found, public, time.monotonic())
    return _ring


def _lasting(now: datetime) -> QuerySet[SigningKey]:
    return SigningKey.objects.filter(Q(retired_at=None) | Q(retired_at__gt=now - KEPT_AFTER))


def _make(now: datetime) -> SigningKey:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    name = hashlib.sha256(public).hexdigest()[:16]
    sealed = crypto.seal(key.private_bytes_raw(), **_place(name))
    return SigningKey.objects.create(name=name, public=public, private=sealed, created_at=now)


def _place(name: str) -> dict[str, Any]:
    return {"table": "accounts_signingkey", "row": name, "field": "private", "person_id": 0}


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK])
