"""Copies of data at rest: in private storage, sealed piece by piece with a key that a row keeps.

Nothing is ever whole in memory, nor readable on a disk. Each piece says its number and whether it
is the last one, so that a file that was cut, put together anew or moved does not open.
"""

from __future__ import annotations

import secrets
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.files.base import File
from django.core.files.storage import storages

from apps.core import crypto

ALIAS: Final = "private"
PIECE_BYTES: Final = 1 << 20
_TAG_BYTES: Final = 16
_NUMBER_BYTES: Final = 11
_TABLE: Final = "accounts_dataexport"


class Unreadable(Exception):
    """The file is not there, or is not what was put there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a copy was put, the sealed key to it, and its size as it is downloaded."""

    name: str
    key: bytes
    size_bytes: int


class _Sealing:
    """What the archive is written to: seals each full piece and lets it go."""

    def __init__(self, out: IO[bytes], key: bytes, place: bytes) -> None:
        self._out, self._cipher, self._place = out, AESGCM(key), place
        self._waiting = bytearray()
        self._number = 0
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self._waiting += data
        self.size_bytes += len(data)
        # More than a piece has to be there: the last one must be known for it.
        while len(self._waiting) > PIECE_BYTES:
            self._put(last=False)
        return len(data)

    def flush(self) -> None:
        """Nothing: a piece is written when it is full, and the last one by ``finish``."""

    def finish(self) -> None:
        self._put(last=True)

    def _put(self, *, last: bool) -> None:
        piece = bytes(self._waiting[:PIECE_BYTES])
        del self._waiting[:PIECE_BYTES]
        self._out.write(self._cipher.encrypt(_nonce(self._number, last), piece, self._place))
        self._number += 1


def put(write: Callable[[Any], None], *, export_id: uuid.UUID, person_id: int) -> Kept:
    """Store what ``write`` writes, and return what the row has to remember."""
    key = secrets.token_bytes(crypto.KEY_BYTES)
    with tempfile.TemporaryFile() as out:
        sealing = _Sealing(out, key, export_id.bytes)
        write(sealing)
        sealing.finish()
        out.seek(0)
        name = storages[ALIAS].save(f"exports/{secrets.token_hex(16)}", File(out))
    sealed = crypto.seal(key, table=_TABLE, row=export_id, field="key", person_id=person_id)
    return Kept(name, sealed, sealing.size_bytes)


def read(name: str, sealed_key: bytes, *, export_id: uuid.UUID, person_id: int) -> Iterator[bytes]:
    """Return the pieces; the first is read at once, so that what cannot be read is refused."""
    try:
        key = crypto.open_sealed(
            sealed_key, table=_TABLE, row=export_id, field="key", person_id=person_id
        )
        pieces = _pieces(storages[ALIAS].open(name), AESGCM(key), export_id.bytes)
        first = next(pieces)
    except (OSError, InvalidTag, ValueError, crypto.Unreadable):
        raise Unreadable from None
    return _joined(first, pieces)


def remove(name: str) -> None:
    """Drop a copy; one that is gone already is as good."""
    storages[ALIAS].delete(name)


def _pieces(file: Any, cipher: AESGCM, place: bytes) -> Iterator[bytes]:
    with file:
        piece, number = file.read(PIECE_BYTES + _TAG_BYTES), 0
        while True:
            following = file.read(PIECE_BYTES + _TAG_BYTES)
            yield cipher.decrypt(_nonce(number, not following), piece, place)
            if not following:
                return
            piece, number = following, number + 1


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _nonce(number: int, last: bool) -> bytes:
    """Return what is used once: the key is of this one file alone."""
    return number.to_bytes(_NUMBER_BYTES, "big") + (b"\x01" if last else b"\x00")
