"""The methods a socket may call, offered here by the apps that carry them out.

A call is one more thin face of an action: ``fn(user, params)`` runs in a bounded thread pool and
returns plain data, or raises a ``DomainError``. Nobody who is not signed in can call anything. A
socket that was opened with an API key can call what the key's scopes allow; a method that names no
scope, no key can call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.core.errors import NotFound

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be done as long as a connection lives, and when it ends, however that happens.

    ``keep`` is called every so many seconds, ``end`` once; no seconds end the watch of the same
    ``key`` without a call of ``end``, and ``keep`` then takes it back. Both run in the threads of
    calls.
    """

    key: str
    answer: dict[str, Any]
    every_seconds: float
    keep: Callable[[], None]
    end: Callable[[], None]


Call = Callable[["AbstractBaseUser", dict[str, Any]], dict[str, Any]]

WatchCall = Callable[["AbstractBaseUser", dict[str, Any]], Watch]

_calls: dict[str, Call | WatchCall] = {}
_scopes: dict[str, str | None] = {}


def register(method: str, fn: Call, *, scope: str | None = None) -> None:
    """Offer a method. The same name twice is a mistake in the code."""
    _offer(method, fn, scope)


def register_watch(method: str, fn: WatchCall, *, scope: str | None = None) -> None:
    """Offer a method that begins or ends a watch over a connection."""
    _offer(method, fn, scope)


def _offer(method: str, fn: Call | WatchCall, scope: str | None) -> None:
    if method in _calls:
        raise RuntimeError(f"The call {method} is registered twice.")
    _calls[method] = fn
    _scopes[method] = scope


def unregister(method: str) -> None:
    """Take a method back; tests that offer their own do so."""
    del _calls[method], _scopes[method]


def scope_of(method: str) -> str | None:
    """Return the scope that an API key needs to call a method; None is what no key may call."""
    return _scopes[method]


def resolve(method: str) -> Call | WatchCall:
    """Return what carries a method out."""
    try:
        return _calls[method]
    except KeyError:
        raise NotFound("unknown_method", "There is no such method.") from None
