"""One-time tickets: how a socket without a cookie says whose it is.

A ticket is asked for over the API, works once, within 30 seconds, and never travels in a URL. It
dies with the session or the password it was made under.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

import orjson

from apps.core.realtime.connections import client, key

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

TICKET_SECONDS: Final = 30
TICKET_LENGTH_MAX: Final = 64


def issue(user: AbstractBaseUser, session_key: str = "") -> str:
    """Make a ticket for a person, bound to the session where there is one."""
    ticket = secrets.token_urlsafe(32)
    held = {
        "user": user.pk,
        "session": session_key,
        "hash": user.get_session_auth_hash(),
    }
    client().set(_key(ticket), orjson.dumps(held), ex=TICKET_SECONDS)
    return ticket


def redeem(ticket: str) -> tuple[int, str, str] | None:
    """Return the person's id, session and password hash; the ticket is gone afterwards."""
    if not ticket or len(ticket) > TICKET_LENGTH_MAX:
        return None
    held = client().getdel(_key(ticket))
    if held is None:
        return None
    values = orjson.loads(held)
    return values["user"], values["session"], values["hash"]


def _key(ticket: str) -> str:
    # Only a hash is stored, so that who can read Valkey cannot use what he finds.
    return key(f"live:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}")
