"""What the processes say: all of it to files that stay small, what matters to the terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TextIO

FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 3
_MATTERS = re.compile(r"\b(WARNING|ERROR|CRITICAL|FATAL|PANIC)\b|^Traceback ")
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)


class LogFile:
    """One file that is put aside when it is full; the oldest one goes."""

    def __init__(self, path: Path, bytes_max: int = FILE_BYTES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._file = path.open("ab")

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        if self._file.tell() > self._bytes_max:
            self._rotate()

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._path.with_suffix(f".log.{number}")
            if older.exists():
                older.replace(self._path.with_suffix(f".log.{number + 1}"))
        self._path.replace(self._path.with_suffix(".log.1"))
        self._file = self._path.open("ab")


class Terminal:
    """Prefixes each line with who says it. Quiet: warnings, errors and what belongs to them."""

    def __init__(self, names: list[str], *, verbose: bool, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._verbose = verbose
        self._width = max([8, *(len(name) for name in names)])
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
        self._coloured = self._stream.isatty()
        self._telling: dict[str, bool] = {}

    def say(self, text: str = "") -> None:
        """Tell something of our own."""
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except (BrokenPipeError, OSError):
            # The terminal is gone; the files have everything, and the processes go on.
            self._stream = _Nowhere()

    def line(self, name: str, text: str) -> bool:
        """Pass on a line of a process, where it matters; return whether it did."""
        told = self._matters(name, text) or self._verbose
        if told:
            self.say(f"{self._prefix(name)}{text}")
        return told

    def _matters(self, name: str, text: str) -> bool:
        continued = text[:1] in {" ", "\t", ""} and self._telling.get(name, False)
        ends_traceback = self._telling.get(name, False) and re.match(
            r"[\w.]+(Error|Exception)", text
        )
        told = bool(_MATTERS.search(text)) or continued or bool(ends_traceback)
        self._telling[name] = told
        return told and bool(text.strip())

    def _prefix(self, name: str) -> str:
        padded = f"{name:<{self._width}} | "
        if not self._coloured:
            return padded
        return f"\x1b[{self._colours.get(name, 37)}m{padded}\x1b[0m"


class _Nowhere:
    """Takes the place of a terminal that was closed."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None

    def isatty(self) -> bool:
        return False
