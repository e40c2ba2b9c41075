"""The methods a socket may call, offered here by the apps that carry them out.

A call is one more thin face of an action: ``fn(user, params)`` runs in a bounded thread pool and
returns plain data, or raises a ``DomainError``. Nobody who is not signed in can call anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from apps.core.errors import NotFound

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

Call = Callable[["AbstractBaseUser", dict[str, Any]], dict[str, Any]]

_calls: dict[str, Call] = {}


def register(method: str, fn: Call) -> None:
    """Offer a method. The same name twice is a mistake in the code."""
    if method in _calls:
        raise RuntimeError(f"The call {method} is registered twice.")
    _calls[method] = fn


def unregister(method: str) -> None:
    """Take a method back; tests that offer their own do so."""
    del _calls[method]


def resolve(method: str) -> Call:
    """Return what carries a method out."""
    try:
        return _calls[method]
    except KeyError:
        raise NotFound("unknown_method", "There is no such method.") from None
