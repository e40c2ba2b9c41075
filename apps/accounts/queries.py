"""Reads of people and their sign-ins."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts import access
from apps.accounts.models import SignIn, User
from apps.core.errors import NotSignedIn


def person_by_email(*, email: str) -> User | None:
    """Return the person of this address, in whichever case it is written."""
    return User.objects.filter(email=email.lower()).first()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent an access token, and through which sign-in."""

    user: User
    sign_in: SignIn


def caller_of_token(*, token: str) -> Caller:
    """Return who sent the access token; refuse it when its sign-in has ended. One query."""
    claims = access.read(token)
    sign_in = (
        SignIn.objects.select_related("user")
        .filter(
            pk=claims.sign_in,
            ended_at=None,
            user__public_id=claims.person,
            user__is_active=True,
        )
        .first()
    )
    if sign_in is None:
        raise NotSignedIn("token_invalid", "The token is not valid, or no longer.")
    return Caller(sign_in.user, sign_in)


def ended_sign_ins(ids: set[str]) -> set[str]:
    """Return those of the sign-ins that have ended or were never there."""
    lasting = SignIn.objects.filter(pk__in=ids, ended_at=None).values_list("pk", flat=True)
    return ids - {str(pk) for pk in lasting}
