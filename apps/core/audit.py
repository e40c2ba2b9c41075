"""The audit trail: who changed what, when, in which request and why, written by the database.

Triggers write it, so bulk changes and SQL by hand are in it too. A model is in it by ``tracked``;
projections are not, since the journal says what the engine decided. Nothing here is ever changed;
what is older than ``AUDIT_KEPT_DAYS`` is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pghistory
import pgtrigger
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from pghistory.core import event_models
from pghistory.middleware import WSGIRequest as RequestThatTellsItsUser

from apps.core.models import AuditedRow
from apps.core.web import client_address

M = TypeVar("M", bound=type[models.Model])
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REASON_LENGTH_MAX: Final = 200
# Placing orders writes nothing that is in the trail, and pays nothing for it.
_WITHOUT: Final = ("/api/v1/orders",)


def tracked(
    *, exclude: Sequence[str] = (), name: str | None = None, app: str | None = None
) -> Callable[[M], M]:
    """Keep every row that is added to the model's table, changed or removed.

    ``exclude`` are columns that hold secrets, or change without anybody deciding anything. For a
    proxy of a model that is not ours, ``name`` and ``app`` say what is kept where.
    """

    def decorate(model: M) -> M:
        decorated: M = pghistory.track(
            pghistory.InsertEvent(),
            pghistory.UpdateEvent(),
            pghistory.DeleteEvent(),
            exclude=[*exclude],
            model_name=name,
            app_label=app,
            meta={"ordering": ["-pgh_id"]},
        )(model)
        return decorated

    return decorate


def kept_tables() -> set[str]:
    """Return the tables whose changes are kept, but for those that a migration adds by itself."""
    events: list[Any] = list(event_models())
    return {model.pgh_tracked_model._meta.db_table for model in events}


def because(reason: str) -> Any:
    """Have what is written inside say why: a context manager."""
    return pghistory.context(reason=reason[:REASON_LENGTH_MAX])


class AuditContext:
    """Middleware: what a request writes says whose it was. The answer names it: X-Request-ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in WRITES or request.path_info.startswith(_WITHOUT):
            return self.get_response(request)
        told = {
            "method": request.method,
            "path": request.path[:200],
            "address": client_address(request),
        }
        with pghistory.context(**told) as context:
            if request.path_info.startswith("/api/"):
                # Who asks is found later, and then told.
                if type(request) is WSGIRequest:
                    request.__class__ = RequestThatTellsItsUser
            elif request.user.is_authenticated:
                pghistory.context(user=request.user.pk)
            response = self.get_response(request)
            response["X-Request-ID"] = str(context.id)
            return response


def replace_in_trail(rows: models.QuerySet[Any], **values: object) -> int:
    """Replace what the trail says of somebody who may no longer be known by it.

    That something was changed, when, by whom and why stays as it is. For who deletes people alone.
    """
    with pgtrigger.ignore(f"{rows.model._meta.label}:append_only"):
        return rows.update(**values)


def forget_old(*, now: datetime) -> int:
    """Drop what is older than the trail is kept; return how many rows of it."""
    before = now - timedelta(days=settings.AUDIT_KEPT_DAYS)
    count = 0
    kept: list[tuple[Any, str]] = [(AuditedRow, "at")]
    kept += [(model, "pgh_created_at") for model in event_models()]
    for model, column in kept:
        # Only here rows go: everybody else the database refuses.
        with pgtrigger.ignore(f"{model._meta.label}:append_only"):
            count += model.objects.filter(**{f"{column}__lt": before}).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pghistory_context WHERE updated_at < %s", [before])
    return count
