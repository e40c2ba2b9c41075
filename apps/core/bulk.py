"""Many rows into PostgreSQL at once: COPY in its binary form, and arrays for ``unnest``.

Packing needs no database, so it can be done for the next rows while the last ones are stored.
Knows no table: who calls says how a row is packed, in the order of its columns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = struct.pack("!h", -1)
_CHUNK_BYTES: Final = 1 << 18
# PostgreSQL counts microseconds from the beginning of 2000, we count nanoseconds from 1970.
_POSTGRES_EPOCH_MICROS: Final = 946_684_800 * 1_000_000

NULL: Final = struct.pack("!i", -1)
_length = struct.Struct("!i").pack


def packed_text(value: str) -> bytes:
    """Return a text value as one field of a binary row."""
    data = value.encode()
    return _length(len(data)) + data


def micros(at_ns: int) -> int:
    """Return a moment as a timestamptz in a binary row: a bigint of microseconds."""
    return at_ns // 1_000 - _POSTGRES_EPOCH_MICROS


def packed(rows: Iterable[bytes]) -> list[bytes]:
    """Return rows in chunks of a good size to send; nothing where there are none."""
    chunks: list[bytes] = []
    chunk: list[bytes] = [_HEADER]
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row)
        if size >= _CHUNK_BYTES:
            chunks.append(b"".join(chunk))
            chunk.clear()
            size = 0
    if not chunks and len(chunk) == 1:
        return []
    chunk.append(_TRAILER)
    chunks.append(b"".join(chunk))
    return chunks


def copy(cursor: Any, table: str, columns: Sequence[str], chunks: list[bytes]) -> None:
    """Store packed rows, in the transaction of the cursor (psycopg's own, not Django's)."""
    if not chunks:
        return
    names = ", ".join(f'"{column}"' for column in columns)
    with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT BINARY)') as target:
        for chunk in chunks:
            target.write(chunk)


def int_array(values: Iterable[int]) -> str:
    """Return whole numbers as the text of an array, for ``unnest(%s::bigint[])``."""
    return "{" + ",".join(map(str, values)) + "}"


def word_array(values: Iterable[str]) -> str:
    """Return words as the text of an array, for ``unnest(%s::text[])``."""
    return '{"' + '","'.join(map(_word, values)) + '"}'


def _word(value: str) -> str:
    if '"' in value or "\\" in value:
        raise ValueError(f"Not a word: {value!r}")
    return value
