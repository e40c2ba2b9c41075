"""Text as CSV that is safe to open in a spreadsheet.

A spreadsheet takes a cell that begins with one of a few signs for a formula and runs it. Text that
does is marked as text; our own numbers are numbers and stay so, negative ones too.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_ROWS_JOINED: Final = 200


def safe_cell(value: object) -> str:
    """Return the value so that no spreadsheet runs it; nothing where there is none."""
    text = "" if value is None else str(value)
    if text.startswith(_RISKY) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Yield CSV, some hundred rows at a time, however many there are."""
    kept = _Lines()
    writer = csv.writer(kept)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row[column]) for column in columns])
        if len(kept.written) >= _ROWS_JOINED:
            yield kept.taken()
    yield kept.taken()


class _Lines:
    """What the writer of CSV writes to: keeps the lines until they are sent."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line)

    def taken(self) -> str:
        text = "".join(self.written)
        self.written.clear()
        return text
