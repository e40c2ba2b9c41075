"""The only reader of the environment. Every setting that can be changed from outside is here."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    """Return the variable, or the default where it is unset or empty."""
    return os.environ.get(name) or default


def required(name: str) -> str:
    """Return the variable; refuse to start without it."""
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"The environment variable {name} must be set.")
    return value


def flag(name: str, default: bool = False) -> bool:
    """Return whether the variable is one of 1, true, yes, on."""
    value = os.environ.get(name)
    return default if not value else value.strip().lower() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    """Return the variable as a whole number; refuse anything else."""
    value = os.environ.get(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise RuntimeError(f"{name} must be a whole number, not {value!r}.") from None


def words(name: str, default: str = "") -> list[str]:
    """Return the variable split at commas, without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]
