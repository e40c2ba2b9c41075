"""What keeps a person from being deleted, and what goes with them; apps above add theirs.

An obstacle has a stable code. It is looked at when somebody asks, and again when it is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.accounts.models import User

Stands = Callable[["User"], bool]
Forget = Callable[["User", datetime], None]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """``words`` say to the person what stands in the way and what to do about it."""

    code: str
    words: str
    stands: Stands


_obstacles: dict[str, Obstacle] = {}
_forgetters: dict[str, Forget] = {}


def register_obstacle(code: str, words: str, stands: Stands) -> None:
    """Have nobody deleted for whom ``stands`` is true."""
    _obstacles[code] = Obstacle(code, words, stands)


def register_forgetter(name: str, forget: Forget) -> None:
    """Have this called when a person is deleted, in one transaction; it may be called again."""
    _forgetters[name] = forget


def obstacles_of(person: User) -> list[Obstacle]:
    """Return what stands in the way of deleting the person, in the order of the codes."""
    return [_obstacles[code] for code in sorted(_obstacles) if _obstacles[code].stands(person)]


def forget_elsewhere(person: User, now: datetime) -> None:
    """Have every app drop what it holds of the person and need not keep."""
    for name in sorted(_forgetters):
        _forgetters[name](person, now)
