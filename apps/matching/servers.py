"""Connections of the engine's shell to PostgreSQL and Valkey.

They are its own: direct, no pool, no retries behind its back. Whoever holds one decides what its
loss means: the writer exits, everybody else connects again.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
import redis
from django.conf import settings
from django.db import connections
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 2.0

Connection = psycopg.Connection[Any]


def postgres(*, name: str, statement_seconds: int = 5, client_binding: bool = False) -> Connection:
    """Return an autocommit connection whose loss is noticed within seconds.

    ``client_binding`` gives the kind of cursor that Django has, which projections are written for.
    """
    options = f"-c synchronous_commit=on -c statement_timeout={statement_seconds}s"
    connection: Connection = psycopg.connect(
        **_address(),
        autocommit=True,
        application_name=name,
        connect_timeout=CONNECT_SECONDS,
        keepalives=1,
        keepalives_idle=1,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=4000,
        options=f"{options} -c lock_timeout=2s -c timezone=UTC",
        cursor_factory=psycopg.ClientCursor if client_binding else psycopg.Cursor,
    )
    return connection


def _address() -> dict[str, Any]:
    if settings.MATCHING_DATABASE_URL:
        return {"conninfo": settings.MATCHING_DATABASE_URL}
    # Django's own settings of the moment: tests put the name of their clone there.
    database = connections["default"].settings_dict
    return {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        # What the address says of TLS; times and limits are our own.
        **{k: v for k, v in database.get("OPTIONS", {}).items() if k.startswith("ssl")},
    }


def valkey() -> redis.Redis:
    """Return a client that never sends anything twice."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        protocol=2,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )
