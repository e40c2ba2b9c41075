"""Is the process alive, and is everything there that trading needs? For supervisors and probes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django import db
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from apps.core.errors import Unavailable
from apps.core.realtime.connections import client
from apps.matching.queries import engine_health, projector_lag

logger = logging.getLogger(__name__)

# More behind than this, and people read yesterday's balances.
LAG_SECONDS_MAX: Final = 10.0


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Answer whenever the process can: it looks at nothing else."""
    return _json({"status": "ok"}, 200)


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 only where an order would go through and show up soon after."""
    database, valkey = _check(_database), _check(_valkey)
    # What rests on a service that is away is not asked again: each question waits its time.
    checks = {
        "database": database,
        "valkey": valkey,
        "engine": _check(_engine) if valkey == "ok" else valkey,
        "projector": _check(_projector) if database == "ok" else database,
    }
    good = all(found == "ok" for found in checks.values())
    response = _json({"status": "ok" if good else "unavailable", "checks": checks},
                     200 if good else 503)  # fmt: skip
    if not good:
        response["Retry-After"] = "1"
    return response


def _check(check: Callable[[], str]) -> str:
    try:
        return check()
    except (db.Error, RedisError, Unavailable) as failure:
        # The type alone: an address or a password in the message is nobody's business here.
        logger.warning("Not ready: %s", failure)
        return type(failure).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _valkey() -> str:
    client().ping()
    return "ok"


def _engine() -> str:
    return "ok" if engine_health()["leading"] else "no leader"


def _projector() -> str:
    return "ok" if projector_lag().seconds <= LAG_SECONDS_MAX else "behind"


def _json(body: dict[str, object], status: int) -> JsonResponse:
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    return response
