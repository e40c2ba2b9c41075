"""Many rows into PostgreSQL at once: COPY in its binary form, and arrays for ``unnest``.

Packing needs no database, so it can be done for the next rows while the last ones are stored.
Knows no table: who calls says how a row is packed, in the order of its columns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = struct.pack("!h", -1)
# PostgreSQL counts microseconds from the beginning of 2000, we count nanoseconds from 1970.
_POSTGRES_EPOCH_MICROS: Final = 946_684_800 * 1_000_000

NULL: Final = struct.pack("!i", -1)
_length = struct.Struct("!i").pack


def packed_text(value: str) -> bytes:
    """Return a text value as one field of a binary row."""
    data = value.encode()
    return _length(len(data)) + data


@lru_cache(maxsize=256)
def packed_word(value: str) -> bytes:
    """Return one of a few words as a field: what comes again and again is packed once."""
    return packed_text(value)


@lru_cache(maxsize=256)
def micros(at_ns: int) -> int:
    """Return a moment as a timestamptz in a binary row: a bigint of microseconds."""
    return at_ns // 1_000 - _POSTGRES_EPOCH_MICROS


def grouped(rows: Mapping[int, list[bytes]]) -> Iterator[bytes]:
    """Return what lies under each key, from the lowest to the highest.

    The key is what their index begins with: neighbours are stored for up to a third less.
    """
    return chain.from_iterable(rows[key] for key in sorted(rows))


def packed(pieces: Iterable[bytes]) -> bytes:
    """Return rows, or the pieces they are made of, as what COPY reads; nothing where is none."""
    rows = b"".join(pieces)
    return _HEADER + rows + _TRAILER if rows else b""


def copy(cursor: Any, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Store packed rows, in the transaction of the cursor (psycopg's own, not Django's)."""
    if not rows:
        return
    names = ", ".join(f'"{column}"' for column in columns)
    with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT BINARY)') as target:
        target.write(rows)


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
