"""Seals small secrets for the database, so that a copy of the database alone shows none of them.

Each value has a data key of its own; that key is wrapped by a key-encryption key of the setting
FIELD_KEYS, which no table holds. A value is bound to its table, row, field and person: moved to
another place it does not open. Rotating wraps data keys anew and leaves the values as they are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
# A sealed value: version, id of the wrapping key, nonce, wrapped data key, nonce, the value.
VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 1 + KEY_ID_BYTES
_WRAPPED_BYTES: Final = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_OVERHEAD_BYTES: Final = _HEADER_BYTES + _WRAPPED_BYTES + _NONCE_BYTES + _TAG_BYTES

Row = int | str | uuid.UUID


class Unreadable(Exception):
    """The value is not from here, was changed or moved, or its key is not in FIELD_KEYS."""


@dataclass(frozen=True, slots=True)
class _Ring:
    """The key-encryption keys by their ids; the newest wraps what is sealed now."""

    newest: bytes
    keys: dict[bytes, AESGCM]


def seal(text: bytes, *, table: str, row: Row, field: str, person_id: int) -> bytes:
    """Return the secret sealed for this one place."""
    data_key = secrets.token_bytes(KEY_BYTES)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    place = _place(table, row, field, person_id)
    return _wrapped(data_key) + nonce + AESGCM(data_key).encrypt(nonce, text, place)


def open_sealed(
    sealed: bytes | memoryview, *, table: str, row: Row, field: str, person_id: int
) -> bytes:
    """Return what was sealed for this place; raise ``Unreadable`` for anything else."""
    data_key, rest = _unwrapped(bytes(sealed))
    nonce, text = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    try:
        return AESGCM(data_key).decrypt(nonce, text, _place(table, row, field, person_id))
    except InvalidTag:
        raise Unreadable("The sealed value does not belong here, or was changed.") from None


def rewrap(sealed: bytes | memoryview) -> bytes:
    """Return the same value with its data key wrapped by the newest key; no secret is opened."""
    data_key, rest = _unwrapped(bytes(sealed))
    return _wrapped(data_key) + rest


def newest_key_id() -> bytes:
    """Return the id of the key that seals now."""
    return _ring(tuple(settings.FIELD_KEYS)).newest


def key_id_of(sealed: bytes | memoryview) -> bytes:
    """Return the id of the key that a value needs; it is no secret."""
    return bytes(sealed)[1:_HEADER_BYTES]


def new_key() -> str:
    """Return a fresh key as FIELD_KEYS takes it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=").decode()


def check_keys(keys: Sequence[str]) -> None:
    """Refuse keys that cannot be used, without repeating them."""
    _ring(tuple(keys))


def _wrapped(data_key: bytes) -> bytes:
    ring = _ring(tuple(settings.FIELD_KEYS))
    header = VERSION + ring.newest
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + ring.keys[ring.newest].encrypt(nonce, data_key, header)


def _unwrapped(sealed: bytes) -> tuple[bytes, bytes]:
    """Return the data key of a sealed value, and what follows it."""
    if len(sealed) < _OVERHEAD_BYTES or sealed[:1] != VERSION:
        raise Unreadable("This is no sealed value.")
    header, end = sealed[:_HEADER_BYTES], _HEADER_BYTES + _WRAPPED_BYTES
    key = _ring(tuple(settings.FIELD_KEYS)).keys.get(header[1:])
    if key is None:
        raise Unreadable(f"FIELD_KEYS does not hold the key {header[1:].hex()}.")
    start = _HEADER_BYTES + _NONCE_BYTES
    try:
        return key.decrypt(sealed[_HEADER_BYTES:start], sealed[start:end], header), sealed[end:]
    except InvalidTag:
        raise Unreadable("The sealed value was changed.") from None


def _place(table: str, row: Row, field: str, person_id: int) -> bytes:
    # JSON keeps the four apart, whatever they contain.
    return json.dumps(["sum1", table, str(row), field, person_id]).encode()


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> _Ring:
    found: dict[bytes, AESGCM] = {}
    for key in keys:
        try:
            raw = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ImproperlyConfigured(
                "FIELD_KEYS must be keys of 32 bytes in base64, separated by commas; "
                "`manage.py rotate_field_keys --new-key` makes one."
            )
        found[hashlib.sha256(b"sum1 field key\n" + raw).digest()[:KEY_ID_BYTES]] = AESGCM(raw)
    if not found:
        raise ImproperlyConfigured("FIELD_KEYS is empty: nothing can be sealed or read.")
    return _Ring(newest=next(iter(found)), keys=found)
