"""The only reader of the environment; docs/operations.md says what each variable does."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """The environment asks for what cannot be; the text is for the person who set it."""


# What a running copy on this machine wrote down for other commands; the environment goes first.
_remembered: dict[str, str] = {}


def remember(path: Path) -> None:
    """Take NAME=value lines of a file, where there is one, for variables that are not set."""
    if path.is_file():
        for line in path.read_text().splitlines():
            name, found, value = line.partition("=")
            if found:
                _remembered[name] = value


def given(name: str) -> str | None:
    """Return what the person who started us set, and nothing else."""
    return os.environ.get(name) or None


def text(name: str, default: str = "") -> str:
    """Return the variable, or the default where it is unset or empty."""
    return os.environ.get(name) or _remembered.get(name) or default


def required(name: str) -> str:
    """Return the variable; refuse to start without it."""
    value = text(name)
    if not value:
        raise Refused(f"The environment variable {name} must be set.")
    return value


def flag(name: str, default: bool = False) -> bool:
    """Return whether the variable is one of 1, true, yes, on."""
    value = text(name)
    return default if not value else value.strip().lower() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    """Return the variable as a whole number; refuse anything else."""
    value = text(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise Refused(f"{name} must be a whole number, not {value!r}.") from None


def words(name: str, default: str = "") -> list[str]:
    """Return the variable split at commas, without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def path(name: str, default: Path) -> Path:
    """Return the variable as an absolute path."""
    return Path(text(name, str(default))).expanduser().resolve()


def paths(name: str) -> list[Path]:
    """Return the variable as absolute paths, split at spaces as a shell does."""
    return [Path(part).expanduser().resolve() for part in shlex.split(text(name))]


def data_dir() -> Path:
    """Return the folder of everything that a copy on this machine keeps."""
    return path("DATA_DIR", BASE_DIR / ".data")


def everything() -> dict[str, str]:
    """Return a copy of the whole environment, for processes that we start."""
    return dict(os.environ)
