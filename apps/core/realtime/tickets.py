"""One-time tickets: how a socket without a cookie says whose it is.

A ticket is asked for over the API, works once, within 30 seconds, and never travels in a URL. It
dies with the session or the password it was made under.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from apps.core.realtime.connections import client, key
from apps.core.scopes import KeyGrant

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

TICKET_SECONDS: Final = 30
TICKET_LENGTH_MAX: Final = 64


class Holder(NamedTuple):
    """Who asked for a ticket, and what that rested on."""

    user_id: int
    auth_hash: str
    session_key: str
    sign_in: str
    scopes: list[str] | None
    networks: list[str]


def issue(
    user: AbstractBaseUser,
    session_key: str = "",
    sign_in: str = "",
    grant: KeyGrant | None = None,
) -> str:
    """Make a ticket for a person, bound to what asked for it: session, sign-in or API key."""
    ticket = secrets.token_urlsafe(32)
    holder = Holder(
        user.pk,
        user.get_session_auth_hash(),
        session_key,
        sign_in if grant is None else grant.sign_in,
        None if grant is None else sorted(grant.scopes),
        [] if grant is None else list(grant.networks),
    )
    client().set(_key(ticket), orjson.dumps(tuple(holder)), ex=TICKET_SECONDS)
    return ticket


def redeem(ticket: str) -> Holder | None:
    """Return who asked for it; the ticket is gone afterwards."""
    if not ticket or len(ticket) > TICKET_LENGTH_MAX:
        return None
    held = client().getdel(_key(ticket))
    return None if held is None else Holder(*orjson.loads(held))


def _key(ticket: str) -> str:
    # Only a hash is stored, so that who can read Valkey cannot use what he finds.
    return key(f"live:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}")
