"""A person's e-mail address: whether it is proved to be theirs, and changing it.

allauth keeps which addresses are proved; ``User.email`` is what one logs in with. A change is made
by the link that was sent to the new address, so nobody ends up with one that is not theirs.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction

from apps.accounts import security, sessions, step_up
from apps.accounts.models import User
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound

LINK_LIFETIME: Final = timedelta(hours=24)
_SALT: Final = "sum1 change of address"


def is_verified(*, person: User) -> bool:
    """Return whether the address was proved to be the person's."""
    mine = EmailAddress.objects.filter(user=person, email=person.email, verified=True)
    return bool(mine.exists())


def require_verified(*, person: User) -> None:
    """Refuse who has not proved their address, where this installation asks for it."""
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory" and not is_verified(person=person):
        raise NotAllowed(
            "email_not_verified",
            "Open the link in the letter that we sent to you first. Logging in on the site has "
            "another one sent.",
        )


def mark_verified(*, person: User) -> None:
    """Take the person's address as proved: by a letter, or by whoever set the account up."""
    EmailAddress.objects.filter(user=person).exclude(email=person.email).delete()
    EmailAddress.objects.update_or_create(
        user=person, email=person.email, defaults={"verified": True, "primary": True}
    )


def token_for_change(*, actor: User, email: str, proved_at: datetime | None, now: datetime) -> str:
    """Return what the link to the new address carries."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    email = email.lower()
    if email == actor.email:
        raise Invalid("same_email", "This is your address already.")
    held = {"person": str(actor.public_id), "from": actor.email, "to": email}
    return signing.dumps(held, salt=_SALT)


def change_by_link(
    *, token: str, now: datetime, ends_others: bool = False, kept: uuid.UUID | None = None
) -> tuple[User, str]:
    """Give a person the address that the link was sent to; it works once. Return the old one, too:
    whoever reads mail there hears of it by other means than our notices.

    With ``ends_others`` every sign-in but the one that is kept ends.
    """
    try:
        held = signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise _refusal() from None
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True)
        person = locked.filter(
            public_id=held["person"], email=held["from"], is_active=True, frozen_at=None
        ).first()
        if person is None:
            raise _refusal()
        person.email = held["to"]
        _save(person)
        mark_verified(person=person)
        if ends_others:
            sessions.end_others(actor=person, kept=kept, reason="email", now=now)
        security.changed(person=person, kind="email_changed", now=now, email=person.email)
    return person, held["from"]


def _save(person: User) -> None:
    try:
        with transaction.atomic():
            person.save(update_fields=["email"])
    except IntegrityError:
        raise Conflict("email_taken", "There is an account with this address already.") from None


def _refusal() -> NotFound:
    return NotFound("link_invalid", "This link is too old, or was used. Ask for another one.")
