"""Connections to Valkey for live data. Every wait is bounded; none retries behind our back."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

WAIT_SECONDS: Final = 1.0


def key(name: str) -> str:
    """Return a name as Valkey knows it; channels cross database numbers, so all are prefixed."""
    return f"{settings.KEY_PREFIX}{name}"


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    # RESP2 keeps replies plain lists, the same with and without a subscription.
    return redis.Redis.from_url(
        url,
        protocol=2,
        socket_timeout=WAIT_SECONDS,
        socket_connect_timeout=WAIT_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


def client() -> redis.Redis:
    """Return this process's client for threads."""
    return _client(settings.REDIS_URL)


def asyncio_client() -> redis.asyncio.Redis:
    """Return a new client that belongs to the running event loop; its owner closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        protocol=2,
        socket_timeout=WAIT_SECONDS,
        socket_connect_timeout=WAIT_SECONDS,
        retry=None,
    )
