"""Documents at rest: under names that say nothing, sealed with a key that only their row has.

The storage is Django's, under the alias ``private``: a folder, or whatever an installation names.
Without the row nothing in it can be read, so that whoever deletes the row has deleted the picture.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from apps.accounts.kyc.models import Document
from apps.core import crypto
from apps.core.errors import NotFound, Unavailable

logger = logging.getLogger(__name__)

ALIAS: Final = "private"
_NONCE_BYTES: Final = 12
_TABLE: Final = "accounts_document"


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a picture was put, and the sealed key to it."""

    name: str
    key: bytes


def put(data: bytes, *, document_id: uuid.UUID, person_id: int) -> Kept:
    """Store a picture and return what its row has to remember."""
    key, nonce = secrets.token_bytes(crypto.KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, data, document_id.bytes)
    name = storages[ALIAS].save(f"documents/{secrets.token_hex(16)}", ContentFile(sealed))
    sealed_key = crypto.seal(key, table=_TABLE, row=document_id, field="key", person_id=person_id)
    return Kept(name, sealed_key)


def read(document: Document, *, person_id: int) -> bytes:
    """Return the picture; one that is gone, or was changed, is not there."""
    key = crypto.open_sealed(
        document.key, table=_TABLE, row=document.pk, field="key", person_id=person_id
    )
    try:
        with storages[ALIAS].open(document.file) as file:
            sealed = file.read()
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], document.pk.bytes)
    except (OSError, InvalidTag, ValueError):
        logger.critical("Document %s cannot be read from the storage.", document.pk)
        raise NotFound("document_not_found", "There is no such document.") from None


def remove(name: str) -> None:
    """Drop a picture whose row is gone; where that fails, what is left opens with no key."""
    try:
        storages[ALIAS].delete(name)
    except (OSError, Unavailable):
        logger.error("The file %s could not be dropped from the storage.", name)
