"""Whose socket it is, and whether that still holds.

A session lasts on a socket exactly as long as it does on a page: signing out, being switched off
and a new password end it. Sessions must be kept in the database (also under a cache).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from apps.core import clock
from apps.core.realtime import tickets

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


@dataclass(frozen=True, eq=False)
class Identity:
    """A person on a socket, and what the claim rests on. Without a session it rests on a ticket."""

    user: AbstractBaseUser
    session_key: str
    auth_hash: str


def of_session(session_key: str) -> Identity | None:
    """Return who is signed in under a session."""
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    held = store.load()
    if held.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return _verified(held.get(SESSION_KEY), session_key, held.get(HASH_SESSION_KEY, ""))


def of_ticket(ticket: str) -> Identity | None:
    """Return whose ticket it is, and use it up."""
    held = tickets.redeem(ticket)
    if held is None:
        return None
    identity = _verified(*held)
    return None if identity is None or ended([identity]) else identity


def ended(identities: Iterable[Identity]) -> list[Identity]:
    """Return those that no longer hold, in two queries for all of them."""
    asked = list(identities)
    keys = {identity.session_key for identity in asked if identity.session_key}
    sessions = set(
        Session.objects.filter(session_key__in=keys, expire_date__gt=clock.now()).values_list(
            "session_key", flat=True
        )
    )
    people = get_user_model()._default_manager.filter(
        pk__in={identity.user.pk for identity in asked}, is_active=True
    )
    hashes = {person.pk: person.get_session_auth_hash() for person in people}
    return [
        identity
        for identity in asked
        if (identity.session_key and identity.session_key not in sessions)
        or not constant_time_compare(hashes.get(identity.user.pk, ""), identity.auth_hash)
    ]


def _verified(user_id: str | int | None, session_key: str, auth_hash: str) -> Identity | None:
    people = get_user_model()._default_manager
    user = people.filter(pk=user_id, is_active=True).first() if user_id else None
    if user is None:
        return None
    current = user.get_session_auth_hash()
    # While the secret key is being changed, sessions made under the old one go on.
    accepted = [current, *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(known, auth_hash) for known in accepted):
        return None
    return Identity(user, session_key, current)
