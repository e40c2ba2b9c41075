"""Whose socket it is, and whether that still holds.

A session lasts on a socket exactly as long as it does on a page: signing out, being switched off
and a new password end it. Sessions must be kept in the database (also under a cache). Which of the
API's sign-ins have ended, the app that has them says: ``watch_sign_ins``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from apps.core.networks import is_inside
from apps.core.realtime import tickets

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


@dataclass(frozen=True, eq=False)
class Identity:
    """A person on a socket, and what the claim rests on; ``scopes`` where that is an API key."""

    user: AbstractBaseUser
    auth_hash: str
    session_key: str = ""
    sign_in: str = ""
    scopes: frozenset[str] | None = None


FindEnded = Callable[[set[str]], set[str]]
_finders: list[FindEnded] = []


def watch_sign_ins(find_ended: FindEnded) -> None:
    """Register who knows which of some sign-ins have ended."""
    _finders.append(find_ended)


def of_session(session_key: str) -> Identity | None:
    """Return who is signed in under a session."""
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    held = store.load()
    if held.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = _verified(held.get(SESSION_KEY), held.get(HASH_SESSION_KEY, ""))
    return None if user is None else Identity(user, user.get_session_auth_hash(), session_key)


def of_ticket(ticket: str, *, address: str) -> Identity | None:
    """Return whose ticket it is, and use it up; a key's networks hold for its sockets too."""
    holder = tickets.redeem(ticket)
    user = _verified(holder.user_id, holder.auth_hash) if holder else None
    if holder is None or user is None:
        return None
    if holder.networks and not is_inside(address, holder.networks):
        return None
    scopes = None if holder.scopes is None else frozenset(holder.scopes)
    identity = Identity(
        user, user.get_session_auth_hash(), holder.session_key, holder.sign_in, scopes
    )
    return None if ended([identity]) else identity


def ended(identities: Iterable[Identity]) -> list[Identity]:
    """Return those that no longer hold, in a few queries for all of them."""
    asked = list(identities)
    sign_ins = {identity.sign_in for identity in asked if identity.sign_in}
    over = set().union(*(find(sign_ins) for find in _finders)) if sign_ins else set()
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
        or identity.sign_in in over
        or not constant_time_compare(hashes.get(identity.user.pk, ""), identity.auth_hash)
    ]


def _verified(user_id: str | int | None, auth_hash: str) -> AbstractBaseUser | None:
    people = get_user_model()._default_manager
    user = people.filter(pk=user_id, is_active=True).first() if user_id else None
    if user is None:
        return None
    # While the secret key is being changed, sessions made under the old one go on.
    accepted = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return user if any(constant_time_compare(known, auth_hash) for known in accepted) else None
