"""Step-up: what is sensitive takes a proof of who one is that is minutes old, not days.

The proof is password plus second factor, where the person has one. A session of the site keeps the
time of its last proof in itself, a sign-in of the API in its row. An API key never has a proof.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.http import HttpRequest
from rest_framework.request import Request

from apps.accounts import queries
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotAllowed

FRESH_FOR: Final = timedelta(minutes=15)
_SESSION_KEY: Final = "proved_at"


def proved_at(request: HttpRequest | Request) -> datetime | None:
    """Return when this session or sign-in last proved who it is; None is never."""
    auth: object = request.auth if isinstance(request, Request) else None
    if isinstance(auth, uuid.UUID):
        return queries.sign_in_proved_at(sign_in_id=auth)
    if auth is not None:
        # What an API key leaves here is no sign-in: a key cannot prove who holds it.
        return None
    held = request.session.get(_SESSION_KEY)
    return clock.parse_iso(held) if held else None


def record(request: HttpRequest, *, now: datetime) -> None:
    """Note that the session of the site has just proved who it is."""
    request.session[_SESSION_KEY] = clock.iso(now)


def is_fresh(proved_at: datetime | None, *, now: datetime) -> bool:
    """Say whether the proof is recent enough for what is sensitive."""
    return proved_at is not None and now - proved_at <= FRESH_FOR


def require_fresh(*, person: User, proved_at: datetime | None, now: datetime) -> None:
    """Refuse what is sensitive where the proof is old, or the owner has had the account frozen."""
    if queries.is_frozen(person_id=person.pk):
        raise NotAllowed(
            "account_frozen", "Your account is frozen, so nothing was changed. Unfreeze it first."
        )
    if not is_fresh(proved_at, now=now):
        raise NotAllowed(
            "step_up_required",
            "Confirm that it is you first: nothing was changed. Then do it again.",
        )
