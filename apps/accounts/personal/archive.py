"""The copy of a person's data itself: a ZIP with one file for each part."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from apps.accounts.models import User
from apps.accounts.personal import parts
from apps.core import clock, spreadsheet

_README: Final = """\
What SUM+1 holds about {email}, as of {at} (UTC).

Amounts are in whole units, times are UTC. Cells that a spreadsheet would take for a formula begin
with an apostrophe. Passwords, keys and codes are not in here: of most of them we have only a hash.

{files}
"""


def write_archive(out: Any, *, person: User, now: datetime) -> None:
    """Write the archive to what takes bytes; it need not be possible to go back in it."""
    found = parts.registered()
    files = "\n".join(f"{part.file_name}: {part.about}" for part in found)
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        readme = _README.format(email=person.email, at=f"{now:%Y-%m-%d %H:%M}", files=files)
        archive.writestr(_entry("README.txt", now), readme)
        for part in found:
            with archive.open(_entry(part.file_name, now), "w") as file:
                _write_part(file, part, person)


def _write_part(file: IO[bytes], part: parts.Part, person: User) -> None:
    if part.columns:
        for text in spreadsheet.lines(part.columns, part.rows(person)):
            file.write(text.encode())
        return
    with io.TextIOWrapper(file, encoding="utf-8", write_through=True) as out:
        _write_json(out, part.rows(person))


def _write_json(out: io.TextIOWrapper, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a list row by row, so that a long one is never whole in memory."""
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n" if number else "\n")
        out.write(json.dumps(row, ensure_ascii=False, indent=2, default=_plain))
    out.write("\n]\n")


def _plain(value: object) -> str:
    return clock.iso(value) if isinstance(value, datetime) else str(value)


def _entry(name: str, now: datetime) -> ZipInfo:
    entry = ZipInfo(name, date_time=now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry
