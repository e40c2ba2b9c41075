"""Reads of people and their sign-ins."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Exists, OuterRef

from apps.accounts import access
from apps.accounts.models import RefreshToken, SignIn, User
from apps.core import clock
from apps.core.errors import NotSignedIn
from apps.core.rows import Rows, first_row
from apps.core.scopes import KEY_PREFIX

_people = Rows(User)
_brought: dict[str, tuple[Rows[Any], str]] = {}


def bring_along(name: str, rows: Rows[Any], join: str) -> None:
    """Have the query for a caller bring a row of another table into ``user.brought``.

    For an app above that would ask for it at nearly every request. ``join`` finds at most one row.
    """
    _brought[name] = rows, join


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
    row = first_row(_by_sign_in(), [claims.sign_in, claims.person])
    if row is None:
        raise NotSignedIn("token_invalid", "The token is not valid, or no longer.")
    return Caller(person_of(row), claims.sign_in)


def columns_of_person() -> tuple[str, str]:
    """Return what a query for a caller selects, and what it joins to ``accounts_user`` for it."""
    tables = [_people, *(rows for rows, _ in _brought.values())]
    columns = ", ".join(rows.columns for rows in tables)
    return columns, " ".join(join for _, join in _brought.values())


def person_of(row: Sequence[Any]) -> User:
    """Return the person of a row that begins with these columns, with what it has brought."""
    user, rest = _people.made_of(row[: _people.width]), row[_people.width :]
    for name, (rows, _) in _brought.items():
        # The key comes first; it is missing where the join has found nothing.
        user.brought[name] = None if rest[0] is None else rows.made_of(rest[: rows.width])
        rest = rest[rows.width :]
    return user


@cache
def _by_sign_in() -> str:
    columns, joins = columns_of_person()
    return f"""
        SELECT {columns} FROM accounts_signin
        JOIN accounts_user ON accounts_user.id = accounts_signin.user_id
        {joins}
        WHERE accounts_signin.id = %s AND accounts_signin.ended_at IS NULL
            AND accounts_user.public_id = %s AND accounts_user.is_active
    """  # nosec B608  # columns and joins are ours


def ended_sign_ins(ids: set[str]) -> set[str]:
    """Return those of the sign-ins that have ended or were never there; API keys are none.

    Where every refresh token is too old, nobody can go on with it: that is an end, too.
    """
    ids = {found for found in ids if not found.startswith(KEY_PREFIX)}
    tokens = RefreshToken.objects.filter(sign_in=OuterRef("pk"))
    too_old = Exists(tokens) & ~Exists(tokens.filter(expires_at__gt=clock.now()))
    lasting = SignIn.objects.filter(pk__in=ids, ended_at=None).exclude(too_old)
    return ids - {str(pk) for pk in lasting.values_list("pk", flat=True)}


def security_changed_at(*, person_id: int) -> datetime | None:
    """Return when password, address or second factors last changed; None is never."""
    changed_at: datetime | None = _of_person(person_id, "security_changed_at")
    return changed_at


def tier_of(*, person_id: int) -> int:
    """Return how well the person is known, 0 to 3: what limits follow from."""
    tier: int = _of_person(person_id, "kyc_tier")
    return tier


def is_frozen(*, person_id: int) -> bool:
    """Return whether its owner has had the account frozen."""
    return _of_person(person_id, "frozen_at") is not None


def sign_in_proved_at(*, sign_in_id: uuid.UUID) -> datetime | None:
    """Return when the sign-in was last proved with all that its person has; None is never."""
    return SignIn.objects.filter(pk=sign_in_id).values_list("proved_at", flat=True).first()


def _of_person(person_id: int, field: str) -> Any:
    return User.objects.values_list(field, flat=True).get(pk=person_id)
