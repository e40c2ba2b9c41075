"""Figures for staff are read again after ten seconds, and not for each page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

T = TypeVar("T")

KEPT_SECONDS: Final = 10


def kept(name: str, read: Callable[[], T], seconds: int = KEPT_SECONDS) -> T:
    """Return what was read of late, or read it now; without Valkey it is read each time."""
    key = f"staff-desk:{name}"
    try:
        known: T | None = cache.get(key)
    except RedisError:
        return read()
    if known is not None:
        return known
    found = read()
    try:
        cache.set(key, found, seconds)
    except RedisError:
        return found
    return found
