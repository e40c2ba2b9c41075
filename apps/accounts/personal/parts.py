"""What a copy of a person's data is made of; apps above add theirs in ``AppConfig.ready()``.

A part holds what is the person's own: no secret, no hash, nothing of anybody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from apps.accounts.models import User

Rows = Callable[["User"], Iterable[Mapping[str, object]]]
_NAME: Final = re.compile(r"[a-z][a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Part:
    """One file: CSV with these columns, or JSON where there are none. ``about`` says what it is."""

    name: str
    about: str
    rows: Rows
    columns: tuple[str, ...]

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv" if self.columns else f"{self.name}.json"


_parts: dict[str, Part] = {}


def register_part(name: str, rows: Rows, *, about: str, columns: Iterable[str] = ()) -> None:
    """Have every copy hold a file of this name; ``rows`` yields what is in it."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a file.")
    _parts[name] = Part(name, about, rows, tuple(columns))


def registered() -> list[Part]:
    """Return all parts, in the order of their names."""
    return [_parts[name] for name in sorted(_parts)]
