"""Reads of people and their sign-ins."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from apps.accounts import access
from apps.accounts.models import SignIn, User
from apps.core.errors import NotSignedIn
from apps.core.rows import Rows

_people = Rows(User)
_BY_SIGN_IN = f"""
    SELECT {_people.columns} FROM accounts_signin
    JOIN accounts_user ON accounts_user.id = accounts_signin.user_id
    WHERE accounts_signin.id = %s AND accounts_signin.ended_at IS NULL
        AND accounts_user.public_id = %s AND accounts_user.is_active
"""


def person_by_email(*, email: str) -> User | None:
    """Return the person of this address, in whichever case it is written."""
    return User.objects.filter(email=email.lower()).first()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent an access token, and through which sign-in."""

    user: User
    sign_in_id: uuid.UUID


def caller_of_token(*, token: str) -> Caller:
    """Return who sent the access token; refuse it when its sign-in has ended. One query."""
    claims = access.read(token)
    user = _people.first(_BY_SIGN_IN, [claims.sign_in, claims.person])
    if user is None:
        raise NotSignedIn("token_invalid", "The token is not valid, or no longer.")
    return Caller(user, claims.sign_in)


def ended_sign_ins(ids: set[str]) -> set[str]:
    """Return those of the sign-ins that have ended or were never there."""
    lasting = SignIn.objects.filter(pk__in=ids, ended_at=None).values_list("pk", flat=True)
    return ids - {str(pk) for pk in lasting}
