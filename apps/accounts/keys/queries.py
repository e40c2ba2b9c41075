"""Reads of API keys: a person's own, and the one that a request was signed with."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import cache

from django.db.models import Q, QuerySet

from apps.accounts import queries as people
from apps.accounts.keys.models import ApiKey
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotFound
from apps.core.rows import Rows, first_row
from apps.core.scopes import KEY_PREFIX

_keys = Rows(ApiKey)


def keys_of(*, viewer: User) -> list[ApiKey]:
    """Return the person's keys that were not revoked, newest first."""
    return list(ApiKey.objects.filter(person=viewer, revoked_at=None).order_by("-created_at"))


def key_of(*, viewer: User, key_id: uuid.UUID) -> ApiKey:
    """Return one of the person's keys; a stranger's and none at all look the same."""
    key = ApiKey.objects.filter(person=viewer, revoked_at=None, pk=key_id).first()
    if key is None:
        raise unknown_key()
    return key


def usable(*, person: User, now: datetime) -> QuerySet[ApiKey]:
    """Return the keys that can be used now: those that count against the limit."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(lasting, person=person, revoked_at=None)


def key_and_person(*, key_id: uuid.UUID) -> tuple[ApiKey, User] | None:
    """Return the key and its person, where the person may sign in at all. One query."""
    row = first_row(_by_key(), [key_id])
    if row is None:
        return None
    return _keys.made_of(row[: _keys.width]), people.person_of(row[_keys.width :])


@cache
def _by_key() -> str:
    columns, joins = people.columns_of_person()
    return f"""
        SELECT {_keys.columns}, {columns} FROM accounts_apikey
        JOIN accounts_user ON accounts_user.id = accounts_apikey.person_id
        {joins}
        WHERE accounts_apikey.id = %s AND accounts_user.is_active
    """  # nosec B608  # columns and joins are ours


def ended(sign_ins: set[str]) -> set[str]:
    """Return those of what sockets rest on that a key no longer carries: for the live data."""
    parts = {
        sign_in: sign_in.removeprefix(KEY_PREFIX).split(":")
        for sign_in in sign_ins
        if sign_in.startswith(KEY_PREFIX)
    }
    if not parts:
        return set()
    lasting = {
        (str(pk), str(version))
        for pk, version in ApiKey.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=clock.now()),
            pk__in={key_id for key_id, _ in parts.values()},
            revoked_at=None,
        ).values_list("pk", "version")
    }
    return {sign_in for sign_in, part in parts.items() if tuple(part) not in lasting}


def unknown_key() -> NotFound:
    """Return the refusal of a key that is not this person's, or not there."""
    return NotFound("unknown_key", "You have no such API key.")
