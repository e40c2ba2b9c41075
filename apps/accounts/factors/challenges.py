"""Challenges: who has given the right password at the API may still give the second factor.

A challenge lives for five minutes in Valkey, under a hash of its name, and dies with the password.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Final, NamedTuple

import orjson

from apps.accounts.factors import passkeys, queries
from apps.accounts.models import User
from apps.core.errors import NotSignedIn
from apps.core.realtime.connections import client, key

LIFE_SECONDS: Final = 300
LENGTH_MAX: Final = 64


class Challenge(NamedTuple):
    """What a challenge stands for."""

    person_id: int
    auth_hash: str
    state: passkeys.State | None


def issue(*, person: User, state: passkeys.State | None) -> str:
    """Return a challenge for a person who has given the right password just now."""
    name = secrets.token_urlsafe(32)
    held = Challenge(person.pk, person.get_session_auth_hash(), state)
    client().set(_key(name), orjson.dumps(tuple(held)), ex=LIFE_SECONDS)
    return name


def second_factor_required(*, person: User, host: str) -> NotSignedIn:
    """Return the refusal that asks for the second factor, with all it takes to give it."""
    begun = queries.begin_passkey(person=person, host=host)
    data: dict[str, object] = {
        "challenge": issue(person=person, state=begun[1] if begun else None),
        "expires_in": LIFE_SECONDS,
        "methods": queries.methods_of(person=person),
    }
    if begun:
        data["passkey"] = begun[0]
    words = "The password is right. Now give your second factor."
    return NotSignedIn("second_factor_required", words, **data)


def read(name: str) -> tuple[User, passkeys.State | None]:
    """Return whose challenge it is; refuse what is none, or no longer."""
    found: Any = client().get(_key(name)) if len(name) <= LENGTH_MAX else None
    if found is not None:
        held = Challenge(*orjson.loads(found))
        person = User.objects.filter(pk=held.person_id, is_active=True).first()
        if person is not None and person.get_session_auth_hash() == held.auth_hash:
            return person, held.state
    raise NotSignedIn("challenge_invalid", "Too late: begin again with the password.")


def use_up(name: str) -> None:
    """Let the challenge be good for one sign-in; refuse the second one that comes with it."""
    if not client().delete(_key(name)):
        raise NotSignedIn("challenge_invalid", "Too late: begin again with the password.")


def _key(name: str) -> str:
    return key(f"challenge:{hashlib.sha256(name.encode()).hexdigest()}")
